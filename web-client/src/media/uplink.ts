import { everyLook } from './silence.ts';

/** What the server reported of one's own voice. */
export interface VoiceReport {
  /** In ms. */
  now: number;
  /** On the way to the server: 0 to 1. */
  lost: number;
  roundTripMs: number;
}

/** How the way to the server stands. */
export interface UplinkState {
  /** The voice does not come through whole. */
  strained: boolean;
  /** Pictures rest, also while that has helped. */
  resting: boolean;
}

/** More than a voice bears. */
const TOO_MUCH_LOSS = 0.26;
/** Some loss, while the packets wait this much longer than they must, is a full link and no bad one. */
const SOME_LOSS = 0.05;
const QUEUE_MS = 120;
/** Reports in a row that are no chance. */
const BAD = 2;
const GOOD = 3;
/** How long pictures rest: twice as long each time that the link did not bear them again. */
const FIRST_REST_MS = 10_000;
const LONGEST_REST_MS = 160_000;
/** Pictures that went on for so long were borne. */
const BORNE_MS = 60_000;
/** The shortest round trip is forgotten slowly: the network may be another one. */
const FORGETS = 1.01;

/**
 * Judges from reports on the voice whether a link bears pictures beside it. Browsers know what a link bears only from pictures, and send their
 * least of them, about 50 kbit/s, also where that takes the room of the voice.
 */
export class Uplink {
  #bad = 0;
  #good = 0;
  #shortest = Number.POSITIVE_INFINITY;
  #strained = false;
  #resting = false;
  #restMs = FIRST_REST_MS;
  #until = 0;
  #resumed = Number.NEGATIVE_INFINITY;

  look({ now, lost, roundTripMs }: VoiceReport): UplinkState {
    this.#shortest = Math.min(this.#shortest * FORGETS, roundTripMs);
    const isFull = lost >= SOME_LOSS && roundTripMs > this.#shortest + QUEUE_MS;
    this.#count(lost > TOO_MUCH_LOSS || isFull);
    if (this.#bad >= BAD) this.#strain(now);
    if (this.#good >= GOOD) this.#strained = false;
    if (this.#resting && !this.#strained && now >= this.#until) {
      this.#resting = false;
      this.#resumed = now;
    }
    if (!this.#resting && now - this.#resumed >= BORNE_MS) this.#restMs = FIRST_REST_MS;
    return { strained: this.#strained, resting: this.#resting };
  }

  #count(isBad: boolean): void {
    this.#bad = isBad ? this.#bad + 1 : 0;
    this.#good = isBad ? 0 : this.#good + 1;
  }

  #strain(now: number): void {
    this.#strained = true;
    if (this.#resting) return;
    this.#resting = true;
    this.#until = now + this.#restMs;
    this.#restMs = Math.min(2 * this.#restMs, LONGEST_REST_MS);
  }
}

/** Packets since a stream began. */
interface Packets {
  sent: number;
  lost: number;
}

/**
 * What was lost on the way to the server since the last report: 0 to 1. The share that a report tells has what listeners lose in it, for the sake
 * of the encoder; its sum has not. That is set against what was sent up to now, which is not quite what the report knew of.
 */
export function ownLoss(before: Packets, now: Packets, told: number): number {
  const share = (now.lost - before.lost) / Math.max(1, now.sent - before.sent);
  return Math.min(Math.max(0, share), told);
}

/** Judges a sending connection until it is closed. `isVoice` knows the section of the microphone. */
export function watchUplink(
  connection: RTCPeerConnection,
  isVoice: (mid: string | undefined) => boolean,
  onLook: (state: UplinkState) => void,
): void {
  const uplink = new Uplink();
  let last = 0;
  let before: Packets = { sent: 0, lost: 0 };
  everyLook(connection, (reports) => {
    for (const report of reports.values()) {
      if (report.type !== 'remote-inbound-rtp' || report.roundTripTime === undefined || report.timestamp === last)
        continue;
      if (!isVoice(reports.get(report.localId)?.mid)) continue;
      last = report.timestamp;
      const packets = { sent: reports.get(report.localId).packetsSent ?? 0, lost: report.packetsLost ?? 0 };
      const lost = ownLoss(before, packets, report.fractionLost ?? 0);
      before = packets;
      onLook(uplink.look({ now: performance.now(), lost, roundTripMs: report.roundTripTime * 1_000 }));
    }
  });
}
