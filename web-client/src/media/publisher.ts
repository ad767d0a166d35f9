import type { ClientFrame, OfferedTrack, Source } from '../protocol/generated.ts';

/** What the sending leg tells its owner. */
export interface PublisherEvents {
  send(frame: ClientFrame): void;
  /** A capture ended by itself: the browser's own *stop sharing*, an unplugged device. */
  onEnded(source: Source): void;
}

const ORDER: readonly Source[] = ['microphone', 'camera', 'screen', 'screen_audio'];
const KBPS = 1_000;
/** Sending encodings of a camera by captured size, smallest first; asking for more sends silently nothing. */
const LADDER = {
  three: [
    { rid: 'l', scaleResolutionDownBy: 4, maxBitrate: 120 * KBPS },
    { rid: 'm', scaleResolutionDownBy: 2, maxBitrate: 400 * KBPS },
    { rid: 'h', scaleResolutionDownBy: 1, maxBitrate: 1_200 * KBPS },
  ],
  two: [
    { rid: 'l', scaleResolutionDownBy: 2, maxBitrate: 120 * KBPS },
    { rid: 'm', scaleResolutionDownBy: 1, maxBitrate: 350 * KBPS },
  ],
  one: [{ rid: 'l', scaleResolutionDownBy: 1, maxBitrate: 150 * KBPS }],
} satisfies Record<string, RTCRtpEncodingParameters[]>;
const SCREEN: RTCRtpEncodingParameters[] = [
  { maxBitrate: 1_500 * KBPS, maxFramerate: 8, scalabilityMode: 'L1T3' } as RTCRtpEncodingParameters,
];
const ANSWER_MS = 8_000;

/**
 * The leg that sends. Made at first need with all four tracks at once; afterwards nothing is renegotiated: mute is
 * `enabled`, off is `replaceTrack(null)`, another device is `replaceTrack`.
 */
export class PublisherLeg {
  readonly #events: PublisherEvents;
  readonly #tracks = new Map<Source, MediaStreamTrack>();
  #connection: RTCPeerConnection | undefined;
  #senders = new Map<Source, RTCRtpTransceiver>();
  #opening: Promise<void> | undefined;
  #answer: ((sdp: string) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(events: PublisherEvents) {
    this.#events = events;
  }

  /** Puts a captured track on the wire; opens the leg when there is none. The server's gate opens by `publish`. */
  async put(source: Source, track: MediaStreamTrack): Promise<void> {
    this.#tracks.get(source)?.stop();
    this.#tracks.set(source, track);
    track.onended = () => {
      if (this.#tracks.get(source) === track) this.#events.onEnded(source);
    };
    await this.#opened();
    await this.#senders.get(source)?.sender.replaceTrack(track);
  }

  /** Takes a track off the wire and lets the device go. */
  async drop(source: Source): Promise<void> {
    const track = this.#tracks.get(source);
    this.#tracks.delete(source);
    if (track) {
      track.onended = null;
      track.stop();
    }
    await this.#senders.get(source)?.sender.replaceTrack(null);
  }

  track(source: Source): MediaStreamTrack | undefined {
    return this.#tracks.get(source);
  }

  /** Silence without renegotiation. */
  setEnabled(source: Source, enabled: boolean): void {
    const track = this.#tracks.get(source);
    if (track) track.enabled = enabled;
  }

  #opened(): Promise<void> {
    this.#opening ??= this.#open().catch((error) => {
      this.#end();
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' });
    this.#connection = connection;
    connection.onconnectionstatechange = () => this.#stateChanged(connection);
    const camera = this.#tracks.get('camera')?.getSettings();
    this.#add('microphone', 'audio', [{ priority: 'high', networkPriority: 'high' } as RTCRtpEncodingParameters]);
    this.#add('camera', 'video', ladderFor(camera));
    this.#add('screen', 'video', SCREEN);
    this.#add('screen_audio', 'audio', [{}]);
    await this.#negotiate(connection);
    for (const [source, track] of this.#tracks) await this.#senders.get(source)?.sender.replaceTrack(track);
  }

  #add(source: Source, kind: 'audio' | 'video', sendEncodings: RTCRtpEncodingParameters[]): void {
    const options = { direction: 'sendonly', sendEncodings } as const;
    const transceiver = this.#connection?.addTransceiver(kind, options);
    if (transceiver) this.#senders.set(source, transceiver);
  }

  async #negotiate(connection: RTCPeerConnection, restart = false): Promise<void> {
    await connection.setLocalDescription(await connection.createOffer({ iceRestart: restart }));
    const answered = new Promise<string>((answer, fail) => {
      this.#answer = answer;
      this.#fail = fail;
      setTimeout(() => fail(new Error('no answer to the publisher offer')), ANSWER_MS);
    });
    const tracks: OfferedTrack[] = ORDER.flatMap((source) => {
      const mid = this.#senders.get(source)?.mid;
      return mid ? [{ mid, source }] : [];
    });
    this.#events.send({ type: 'publisher_offer', sdp: connection.localDescription?.sdp ?? '', tracks });
    await connection.setRemoteDescription({ type: 'answer', sdp: await answered });
  }

  answered(sdp: string): void {
    this.#answer?.(sdp);
  }

  /** The server refused the offer. */
  refused(): void {
    this.#fail?.(new Error('the publisher offer was refused'));
  }

  /** The leg was lost, or the socket came back after longer than the server keeps legs: make a new one. */
  async reopen(): Promise<void> {
    if (!this.#opening) return;
    this.#end();
    if (this.#tracks.size > 0) await this.#opened();
  }

  #stateChanged(connection: RTCPeerConnection): void {
    if (connection !== this.#connection) return;
    if (connection.connectionState === 'failed') void this.reopen().catch(() => undefined);
    if (connection.connectionState === 'disconnected') setTimeout(() => this.#restartIfStill(connection), 2_000);
  }

  #restartIfStill(connection: RTCPeerConnection): void {
    if (connection !== this.#connection || connection.connectionState !== 'disconnected') return;
    void this.#negotiate(connection, true).catch(() => undefined);
  }

  /** Stops encoding the layers that nobody receives. */
  async layersWanted(layers: readonly boolean[]): Promise<void> {
    const sender = this.#senders.get('camera')?.sender;
    const parameters = sender?.getParameters();
    if (!sender || !parameters || parameters.encodings.length < 2) return;
    parameters.encodings.forEach((encoding, i) => {
      encoding.active = layers[i] ?? false;
    });
    await sender.setParameters(parameters).catch(() => undefined);
  }

  get state(): RTCPeerConnectionState | 'none' {
    return this.#connection?.connectionState ?? 'none';
  }

  async stats(): Promise<RTCStatsReport | undefined> {
    return this.#connection?.getStats();
  }

  #end(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#senders = new Map();
    this.#opening = undefined;
  }

  close(): void {
    for (const track of this.#tracks.values()) {
      track.onended = null;
      track.stop();
    }
    this.#tracks.clear();
    this.#end();
  }
}

/** The most encodings the captured size fills; a camera that starts later may still be large. */
function ladderFor(settings: MediaTrackSettings | undefined): RTCRtpEncodingParameters[] {
  const phone = matchMedia('(pointer: coarse)').matches;
  const width = Math.max(settings?.width ?? (phone ? 640 : 1280), settings?.height ?? 0);
  if (width >= 960) return structuredClone(LADDER.three);
  return structuredClone(width >= 480 ? LADDER.two : LADDER.one);
}
