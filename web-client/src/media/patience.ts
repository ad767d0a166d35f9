/** How often the losses of the voices are looked at. */
const LOOK_MS = 2_000;
/**
 * How long the player then waits for a voice: what is lost is sent again inside the next packet and the one after it (RFC 2198), which for
 * who saves data are 60 ms apart, and comes with jitter. By itself Chromium learns that only from what it missed, and forgets it again.
 */
export const PATIENT_MS = 200;
/** Of the packets between two looks; a single one may be chance. */
const LOSSY = 0.05;
const LOSSY_PACKETS = 2;
/** Waiting costs an answer its quickness: so many looks without losses end it. */
const CALM = 0.02;
const CALM_LOOKS = 15;

/** Whether the voices that come are worth waiting for: at once when packets are lost, no more when none was for a while. */
export class Patience {
  #received = 0;
  #lost = 0;
  #calm = CALM_LOOKS;

  /** Packets since the connection began; returns the milliseconds to wait, `null` = as the browser likes. */
  look(received: number, lost: number): number | null {
    const gone = Math.max(0, lost - this.#lost);
    const all = gone + Math.max(0, received - this.#received);
    [this.#received, this.#lost] = [received, lost];
    if (gone >= LOSSY_PACKETS && gone / all >= LOSSY) this.#calm = 0;
    else if (all > 0 && gone / all < CALM) this.#calm += 1;
    return this.#calm < CALM_LOOKS ? PATIENT_MS : null;
  }
}

/** Has the voices of a connection waited for while it loses packets, until it is closed. */
export function waitWhereLost(connection: RTCPeerConnection): void {
  const patience = new Patience();
  let present: number | null = null;
  const look = async () => {
    if (connection.connectionState === 'closed') clearInterval(timer);
    if (connection.connectionState !== 'connected') return;
    const { received, lost } = voices(await connection.getStats());
    const target = patience.look(received, lost);
    if (target === present) return;
    present = target;
    for (const receiver of connection.getReceivers()) {
      if (receiver.track.kind === 'audio' && 'jitterBufferTarget' in receiver) receiver.jitterBufferTarget = target;
    }
  };
  const timer = setInterval(() => void look(), LOOK_MS);
}

function voices(reports: RTCStatsReport): { received: number; lost: number } {
  const sum = { received: 0, lost: 0 };
  for (const report of reports.values()) {
    if (report.type !== 'inbound-rtp' || report.kind !== 'audio') continue;
    sum.received += report.packetsReceived ?? 0;
    sum.lost += report.packetsLost ?? 0;
  }
  return sum;
}
