import type { ClientFrame, OfferedTrack, Source, VideoCodec } from '../protocol/generated.ts';
import { cameraCodec } from './codec.ts';
import { configuration, renewRelays } from './configuration.ts';
import { HANDOVER_MS } from './handover.ts';
import { fit, ladder, type Terms } from './ladder.ts';
import { watchSilence } from './silence.ts';
import { type UplinkState, watchUplink } from './uplink.ts';

/** What the sending leg tells its owner. */
export interface PublisherEvents {
  send(frame: ClientFrame): void;
  /** What the last ticket told for networks that let nothing else through. */
  relays(): RTCIceServer[];
  /** A capture ended by itself: the browser's own *stop sharing*, an unplugged device. */
  onEnded(source: Source): void;
  /** The server reports on nothing any more, though something is sent. */
  onStalled(): void;
  /** The system holds a microphone or camera silent for a while already: a phone call, another app. */
  onSilenced(source: Source): void;
  /** How the way to the server stands, about once a second while the voice is sent. */
  onUplink(state: UplinkState): void;
}

const ORDER: readonly Source[] = ['microphone', 'camera', 'screen', 'screen_audio'];
const SCREEN = { maxBitrate: 1_500_000, maxFramerate: 8 };
/** A screen beside a voice that has hardly room itself: as sharp, only later. */
const RESTING_SCREEN = { maxBitrate: 40_000, maxFramerate: 1 };
/** Of a measured network, this much for pictures, beside the voice with its headers. */
const SHARE = 0.8;
const VOICE_ROOM = 60_000;
/** Until the server says otherwise. */
const VOICE_RATE = 24_000;
const ANSWER_MS = 8_000;
const RESTART_AFTER_MS = 500;
/** Shorter silences come with changes of a headset and end by themselves. */
const SILENCED_MS = 3_000;

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
  /** What the camera is encoded to, as last told. */
  #terms: Terms;
  readonly #room: number | undefined;
  #resting = false;
  /** What listeners' links take of the screen, bits per second, as last told. */
  #screenRate = SCREEN.maxBitrate;
  /** As last told; a new leg begins with VP8. */
  #codecs: readonly VideoCodec[] = ['vp8'];
  /** Bits per second of the microphone, as last told. */
  #voiceRate = VOICE_RATE;
  #closed = false;
  /** The leg at a server that goes down: listeners there still hear and see by it. */
  #former: RTCPeerConnection | undefined;
  #formerEnds: ReturnType<typeof setTimeout> | undefined;
  /** The server has answered the present leg's offer. */
  #agreed = false;
  /** The leg was made since the last welcome: its offer goes over the present socket. */
  #fresh = false;

  /** `uplink`: what the network was measured to bear, bits per second. */
  constructor(events: PublisherEvents, uplink?: number) {
    this.#events = events;
    this.#room = uplink === undefined ? undefined : Math.max(0, (uplink - VOICE_ROOM) * SHARE);
    this.#terms = { room: this.#room };
  }

  /** Puts a captured track on the wire; opens the leg when there is none. The server's gate opens by `publish`. */
  async put(source: Source, track: MediaStreamTrack): Promise<void> {
    this.#tracks.get(source)?.stop();
    this.#tracks.set(source, track);
    track.onended = () => {
      if (this.#tracks.get(source) === track) this.#events.onEnded(source);
    };
    track.onmute = () => setTimeout(() => this.#tellSilenced(source, track), SILENCED_MS);
    await this.#opened();
    await this.#carry(source, track);
  }

  #tellSilenced(source: Source, track: MediaStreamTrack): void {
    if (track.muted && this.#tracks.get(source) === track) this.#events.onSilenced(source);
  }

  async #carry(source: Source, track: MediaStreamTrack): Promise<void> {
    const sender = this.#senders.get(source)?.sender;
    await sender?.replaceTrack(track);
    if (sender && source === 'camera') await fit(sender, track.getSettings(), this.#terms);
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
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Resolves when the leg is up. One that a newer leg took the place of meanwhile waits for that one. */
  async #open(): Promise<void> {
    const connection = this.#connect();
    try {
      await this.#negotiate(connection);
      for (const [source, track] of this.#tracks) await this.#carry(source, track);
    } catch (error) {
      if (connection !== this.#connection && !this.#closed) return this.#opened();
      this.#end();
      throw error;
    }
  }

  #connect(): RTCPeerConnection {
    const connection = new RTCPeerConnection(configuration(this.#events.relays()));
    this.#connection = connection;
    this.#fresh = true;
    connection.onconnectionstatechange = () => this.#stateChanged(connection);
    // The server reports on what it gets.
    watchSilence(
      connection,
      (sends) => sends,
      () => this.#stalled(connection),
    );
    watchUplink(
      connection,
      (mid) => mid !== undefined && mid === this.#senders.get('microphone')?.mid,
      (state) => this.#uplink(connection, state),
    );
    const voice = { priority: 'high', networkPriority: 'high', maxBitrate: this.#voiceRate };
    this.#add('microphone', 'audio', [voice as RTCRtpEncodingParameters]);
    this.#add('camera', 'video', ladder({}, undefined, this.#room));
    this.#add('screen', 'video', [{ ...this.#screenTerms(), scalabilityMode: 'L1T3' } as RTCRtpEncodingParameters]);
    this.#add('screen_audio', 'audio', [{}]);
    return connection;
  }

  #uplink(connection: RTCPeerConnection, state: UplinkState): void {
    if (connection !== this.#connection) return;
    if (state.resting !== this.#resting) {
      this.#resting = state.resting;
      void encode(this.#senders.get('screen')?.sender, this.#screenTerms());
    }
    this.#events.onUplink(state);
  }

  #screenTerms() {
    const { maxBitrate, maxFramerate } = this.#resting ? RESTING_SCREEN : SCREEN;
    const room = Math.max(RESTING_SCREEN.maxBitrate, this.#room ?? maxBitrate);
    return { maxBitrate: Math.min(maxBitrate, room, this.#screenRate), maxFramerate };
  }

  #add(source: Source, kind: 'audio' | 'video', sendEncodings: RTCRtpEncodingParameters[]): void {
    const options = { direction: 'sendonly', sendEncodings } as const;
    const transceiver = this.#connection?.addTransceiver(kind, options);
    if (transceiver) this.#senders.set(source, transceiver);
  }

  async #negotiate(connection: RTCPeerConnection, restart = false): Promise<void> {
    if (restart) renewRelays(connection, this.#events.relays());
    await connection.setLocalDescription(await connection.createOffer({ iceRestart: restart }));
    const answered = this.#awaitAnswer();
    const tracks: OfferedTrack[] = ORDER.flatMap((source) => {
      const mid = this.#senders.get(source)?.mid;
      return mid ? [{ mid, source }] : [];
    });
    this.#events.send({ type: 'publisher_offer', sdp: connection.localDescription?.sdp ?? '', tracks });
    await connection.setRemoteDescription({ type: 'answer', sdp: await answered });
    if (connection === this.#connection) this.#agreed = true;
  }

  #awaitAnswer(): Promise<string> {
    return new Promise<string>((answer, fail) => {
      const timer = setTimeout(() => fail(new Error('no answer to the publisher offer')), ANSWER_MS);
      this.#answer = (sdp) => {
        clearTimeout(timer);
        this.#answer = undefined;
        answer(sdp);
      };
      this.#fail = (error) => {
        clearTimeout(timer);
        this.#answer = undefined;
        fail(error);
      };
    });
  }

  answered(sdp: string): void {
    this.#answer?.(sdp);
  }

  /** The server refused the offer. */
  refused(): void {
    this.#fail?.(new Error('the publisher offer was refused'));
  }

  /** The leg was lost: make a new one, with what is on the wire. */
  async reopen(): Promise<void> {
    if (!this.#opening && this.#tracks.size === 0) return;
    this.#end();
    if (this.#tracks.size > 0) await this.#opened();
  }

  /** The server has no leg of this session. One that was just offered is on its way. */
  async lost(): Promise<void> {
    const isOnItsWay = this.#fresh && this.#connection && !this.#agreed;
    if (!isOnItsWay) await this.reopen();
  }

  /** The same tracks to another server too; those who still listen at the present one are not cut off. */
  async move(): Promise<void> {
    if (!this.#opening && this.#tracks.size === 0) return;
    this.#endFormer();
    this.#former = this.#connection;
    this.#formerEnds = setTimeout(() => this.#endFormer(), HANDOVER_MS);
    this.#forget();
    if (this.#tracks.size > 0) await this.#opened();
  }

  #endFormer(): void {
    clearTimeout(this.#formerEnds);
    this.#former?.close();
    this.#former = undefined;
  }

  /** A new socket: an offer on its way over the old one is lost. */
  welcomed(): void {
    this.#fresh = false;
  }

  /** The socket came back: an offer on its way was lost with the old one, and the network may be another. */
  async revive(): Promise<void> {
    const connection = this.#connection;
    if (connection && this.#fresh) return;
    if (this.#answer || (!connection && this.#tracks.size > 0)) await this.#renew();
    else if (connection) await this.#negotiate(connection, true);
  }

  async #renew(): Promise<void> {
    this.#end();
    await this.#opened();
  }

  #stateChanged(connection: RTCPeerConnection): void {
    if (connection !== this.#connection) return;
    if (connection.connectionState === 'failed') void this.reopen().catch(() => undefined);
    if (connection.connectionState === 'disconnected') {
      setTimeout(() => this.#restartIfStill(connection), RESTART_AFTER_MS);
    }
  }

  #restartIfStill(connection: RTCPeerConnection): void {
    if (connection.connectionState === 'disconnected') this.#restart(connection);
  }

  #stalled(connection: RTCPeerConnection): void {
    if (connection !== this.#connection) return;
    this.#restart(connection);
    this.#events.onStalled();
  }

  #restart(connection: RTCPeerConnection): void {
    if (connection !== this.#connection || this.#answer) return;
    void this.#negotiate(connection, true).catch(() => undefined);
  }

  /** Stops encoding the layers that nobody receives. */
  async layersWanted(layers: readonly boolean[]): Promise<void> {
    await this.#fit({ ...this.#terms, wanted: layers });
  }

  /** Encodes the voice with so many bits per second. */
  async voiceRate(bitrate: number): Promise<void> {
    this.#voiceRate = bitrate;
    await encode(this.#senders.get('microphone')?.sender, { maxBitrate: bitrate });
  }

  /** Encodes the screen with so many bits per second at most; `null`: as many as it likes. A new leg begins with that. */
  async screenRate(bitrate: number | null): Promise<void> {
    this.#screenRate = bitrate ?? SCREEN.maxBitrate;
    await encode(this.#senders.get('screen')?.sender, this.#screenTerms());
  }

  /** Encodes the camera in what everybody present decodes: H.264 where the device prefers it, else VP8. */
  async codecsDecoded(codecs: readonly VideoCodec[]): Promise<void> {
    this.#codecs = codecs;
    if (!this.#connection) return;
    const codec = await cameraCodec(codecs);
    // Somebody else may have come while the device was asked.
    if (this.#codecs === codecs) await this.#fit({ ...this.#terms, codec });
  }

  async #fit(terms: Terms): Promise<void> {
    this.#terms = terms;
    const sender = this.#senders.get('camera')?.sender;
    const track = this.#tracks.get('camera');
    if (sender && track) await fit(sender, track.getSettings(), terms);
  }

  get state(): RTCPeerConnectionState | 'none' {
    return this.#connection?.connectionState ?? 'none';
  }

  #end(): void {
    this.#connection?.close();
    this.#forget();
  }

  #forget(): void {
    this.#agreed = false;
    this.#connection = undefined;
    this.#senders = new Map();
    this.#opening = undefined;
    this.#terms = { room: this.#room };
    this.#resting = false;
    this.#screenRate = SCREEN.maxBitrate;
    this.#codecs = ['vp8'];
    this.#fail?.(new Error('the leg ended'));
  }

  close(): void {
    this.#closed = true;
    for (const track of this.#tracks.values()) {
      track.onended = null;
      track.stop();
    }
    this.#tracks.clear();
    this.#endFormer();
    this.#end();
  }
}

/** Changes a sender's only encoding. */
async function encode(sender: RTCRtpSender | undefined, terms: Partial<RTCRtpEncodingParameters>): Promise<void> {
  const parameters = sender?.getParameters();
  const [encoding] = parameters?.encodings ?? [];
  if (!sender || !parameters || !encoding) return;
  Object.assign(encoding, terms);
  await sender.setParameters(parameters).catch(() => undefined);
}
