/** How often a connection is looked at. */
export const LOOK_MS = 1_000;
/** A shorter silence is none. */
const PATIENCE_MS = 2_000;
/** Nothing is called usual before so much came, look by look. */
const KNOWN = 2;
/** How fast a long pause is forgotten, look by look. */
const FADES = 0.8;

/** What one look at a connection found. */
export interface Glance {
  /** In ms. */
  now: number;
  /** Bytes that came so far, reports included. */
  received: number;
  /** Something should come. */
  expects: boolean;
}

/**
 * Tells when a connection over which something came look by look brings nothing any more. Browsers notice by the consent of the other
 * end alone (RFC 7675), which they ask for so seldom that a dead way takes them seven seconds. Where pauses are usual, as with one who saves
 * data and hears nobody, the next one must last twice as long as they did: a needless alarm costs an offer and an answer.
 */
export class Silence {
  #received = 0;
  #since = 0;
  #last = 0;
  #usual = 0;
  #known = 0;
  #told = false;

  /** True once when it fell silent. */
  look({ now, received, expects }: Glance): boolean {
    const slept = now - this.#last > 2 * LOOK_MS;
    this.#last = now;
    const came = received !== this.#received;
    if (came && !slept) {
      this.#usual = Math.max(now - this.#since, this.#usual * FADES);
      this.#known += 1;
    }
    if (came || slept || !expects) {
      this.#received = received;
      this.#since = now;
      this.#told = false;
      return false;
    }
    const silent = now - this.#since >= Math.max(PATIENCE_MS, 2 * this.#usual);
    if (this.#told || this.#known < KNOWN || !silent) return false;
    this.#told = true;
    return true;
  }
}

/** Looks at a connection until it is closed. `expects` is told whether anything left since the last look. */
export function watchSilence(
  connection: RTCPeerConnection,
  expects: (sends: boolean) => boolean,
  onSilent: () => void,
): void {
  const silence = new Silence();
  let left = 0;
  everyLook(connection, (reports) => {
    const { received, sent } = carried(reports);
    const sends = sent > left;
    left = sent;
    if (silence.look({ now: performance.now(), received, expects: expects(sends) })) onSilent();
  });
}

/** Reads what a connection reports of itself, again and again until it is closed. */
export function everyLook(connection: RTCPeerConnection, onLook: (reports: RTCStatsReport) => void): void {
  const look = async () => {
    if (connection.connectionState === 'closed') clearInterval(timer);
    if (connection.connectionState === 'connected') onLook(await connection.getStats());
  };
  const timer = setInterval(() => void look(), LOOK_MS);
}

/** Bytes that came by any way, and packets of media that left. */
function carried(reports: RTCStatsReport): { received: number; sent: number } {
  const sum = { received: 0, sent: 0 };
  for (const report of reports.values()) {
    if (report.type === 'candidate-pair') sum.received += report.bytesReceived ?? 0;
    if (report.type === 'outbound-rtp') sum.sent += report.packetsSent ?? 0;
  }
  return sum;
}
