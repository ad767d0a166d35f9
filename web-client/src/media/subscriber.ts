import type { ClientFrame, Publication, Slot, Source } from '../protocol/generated.ts';
import { configuration, renewRelays } from './configuration.ts';
import { takesPacked } from './packed.ts';
import { waitWhereLost } from './patience.ts';
import { watchSilence } from './silence.ts';

/** What the receiving leg tells its owner. */
export interface SubscriberEvents {
  send(frame: ClientFrame): void;
  /** What the last ticket told for networks that let nothing else through. */
  relays(): RTCIceServer[];
  /** Slots or their streams changed: draw again. */
  onChange(): void;
  /** Nothing can be received on this network; or no longer so. */
  onBlocked(blocked: boolean): void;
  /** Nothing comes any more, though it should. */
  onStalled(): void;
  /** The browser waits for a tap before it plays sound; or no longer. */
  onSoundLocked(locked: boolean): void;
}

/** Slots below this carry the table's six fixed kinds; the rest are cameras. */
const SCREEN: Slot = 4;
const RESTART_AFTER_MS = 500;
/** Not connected after this time, though the server has answered: the network lets no media through. */
const BLOCKED_MS = 12_000;
/** No offer within this time: asked again. */
const OFFER_MS = 5_000;

/**
 * The leg that receives. The server offers it once; publications then move in and out of its slots without another
 * offer. Every voice slot has an audio element that plays from the start, silent until somebody is in the slot.
 */
export class SubscriberLeg {
  readonly #events: SubscriberEvents;
  readonly #cameras: number;
  readonly #slots = new Map<Slot, Publication>();
  readonly #streams = new Map<Slot, MediaStream>();
  readonly #players = new Map<Slot, HTMLAudioElement>();
  #connection: RTCPeerConnection | undefined;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #offer: ReturnType<typeof setTimeout> | undefined;
  /** The leg was asked for since the last welcome: the request went over the present socket. */
  #fresh = false;
  /** It was asked for already, together with hello. */
  #asked = false;
  /** Runs from the first answer until the leg is up. */
  #blocked: ReturnType<typeof setTimeout> | undefined;
  /** Descriptions are applied one after another. */
  #applied: Promise<void> = Promise.resolve();
  #speaker = '';
  #picturesStopped = false;
  #pictures = true;
  #lastOffer = '';
  /** Another leg is heard for the time being. */
  #silent = false;

  constructor(events: SubscriberEvents, cameras: number) {
    this.#events = events;
    this.#cameras = cameras;
    document.addEventListener('visibilitychange', this.playOn);
  }

  /** Asks for the offer: on entry, and again when the leg was lost. */
  open(): void {
    this.#end();
    this.#ask();
  }

  /** The request for the offer, to be sent by the caller; the next `open` does not send it again. */
  ask(): ClientFrame {
    this.#asked = true;
    return this.#request();
  }

  #request(): ClientFrame {
    return { type: 'open_subscriber', cameras: this.#cameras, ...(takesPacked && { packed: true }) };
  }

  #ask(): void {
    this.#fresh = true;
    if (!this.#asked) this.#events.send(this.#request());
    this.#asked = false;
    this.#offer = setTimeout(() => this.#ask(), OFFER_MS);
  }

  /** A leg at another server, silent at first, that is to take this one's place. */
  successor(): SubscriberLeg {
    const leg = new SubscriberLeg(this.#events, this.#cameras);
    leg.#silent = true;
    leg.#speaker = this.#speaker;
    leg.#pictures = this.#pictures;
    leg.open();
    return leg;
  }

  /** From now on this leg is heard. */
  sound(): void {
    this.#silent = false;
    for (const player of this.#players.values()) player.muted = false;
    this.playOn();
  }

  /** The server has no leg of this session. One that was just asked for is on its way. */
  lost(): void {
    if (!this.#fresh || this.#connection) this.open();
  }

  get slots(): ReadonlyMap<Slot, Publication> {
    return this.#slots;
  }

  /** Packets of sound and decoded pictures so far, by slot. */
  async received(): Promise<ReadonlyMap<Slot, number>> {
    const counts = new Map<Slot, number>();
    const reports = await this.#connection?.getStats();
    for (const report of reports?.values() ?? []) {
      if (report.type !== 'inbound-rtp') continue;
      const { mid, kind, packetsReceived, framesDecoded } = report as Record<string, unknown>;
      counts.set(Number(mid), Number((kind === 'audio' ? packetsReceived : framesDecoded) ?? 0));
    }
    return counts;
  }

  /** A new socket: what was asked for over the old one is lost. */
  welcomed(): void {
    this.#fresh = false;
  }

  /** The socket came back: without a leg ask for one; with one look for a better way, the network may be another. */
  revive(): void {
    if (this.#fresh) return;
    if (this.#connection) this.#events.send({ type: 'restart_subscriber' });
    else this.open();
  }

  /** The server's offer: the first one opens the connection, a later one restarts its ICE. */
  offered(sdp: string | Promise<string>): void {
    clearTimeout(this.#offer);
    const connection = this.#connection ?? this.#connect();
    this.#applied = this.#applied
      .then(async () => this.#answer(connection, await sdp))
      .catch(() => this.#askLater(connection));
  }

  async #answer(connection: RTCPeerConnection, sdp: string): Promise<void> {
    if (connection !== this.#connection) return;
    if (connection.remoteDescription) renewRelays(connection, this.#events.relays());
    this.#lastOffer = sdp;
    await this.#apply(connection);
    this.#events.send({ type: 'subscriber_answer', sdp: connection.localDescription?.sdp ?? '' });
    if (connection.connectionState !== 'connected')
      this.#blocked ??= setTimeout(() => this.#events.onBlocked(true), BLOCKED_MS);
  }

  async #apply(connection: RTCPeerConnection): Promise<void> {
    const sdp = this.#pictures ? this.#lastOffer : withoutPictures(this.#lastOffer);
    await connection.setRemoteDescription({ type: 'offer', sdp });
    await connection.setLocalDescription();
  }

  /**
   * Whether pictures are received at all. Where none is, their sections sleep: a browser reports on each of them every second,
   * which costs more than all reports on the voice. The server is not asked, its offer stands.
   */
  receivePictures(pictures: boolean): void {
    if (this.#pictures === pictures) return;
    this.#pictures = pictures;
    const connection = this.#connection;
    if (!connection?.remoteDescription) return;
    const reshape = async () => {
      if (connection === this.#connection && this.#pictures === pictures) await this.#apply(connection);
    };
    this.#applied = this.#applied.then(reshape).catch(() => this.#askLater(connection));
  }

  /** An offer that this browser cannot answer: another one, but not at once. */
  #askLater(connection: RTCPeerConnection): void {
    if (connection !== this.#connection) return;
    this.#end();
    this.#offer = setTimeout(() => this.#ask(), OFFER_MS);
  }

  #connect(): RTCPeerConnection {
    const connection = new RTCPeerConnection(configuration(this.#events.relays()));
    connection.ontrack = ({ transceiver, track }) => this.#trackArrived(Number(transceiver.mid), track);
    connection.onconnectionstatechange = () => this.#stateChanged(connection);
    this.#connection = connection;
    const onSilent = () => {
      if (connection !== this.#connection) return;
      this.#events.send({ type: 'restart_subscriber' });
      this.#events.onStalled();
    };
    watchSilence(connection, () => this.#slots.size > 0, onSilent);
    waitWhereLost(connection);
    return connection;
  }

  #trackArrived(slot: Slot, track: MediaStreamTrack): void {
    const stream = new MediaStream([track]);
    this.#streams.set(slot, stream);
    if (track.kind === 'audio') this.#play(slot, stream);
    this.#events.onChange();
  }

  #play(slot: Slot, stream: MediaStream): void {
    const player = this.#players.get(slot) ?? document.createElement('audio');
    player.srcObject = stream;
    player.autoplay = true;
    player.muted = this.#silent;
    this.#players.set(slot, player);
    document.body.append(player);
    this.#route(player);
    this.#start(player);
  }

  #start(player: HTMLAudioElement): void {
    player.play().then(
      () => this.#events.onSoundLocked(false),
      (error: DOMException) => {
        if (error.name === 'NotAllowedError') this.#events.onSoundLocked(true);
      },
    );
  }

  /** After a call or a lock screen that paused the voices, and where a capture has just allowed what was refused. */
  readonly playOn = (): void => {
    if (document.hidden) return;
    for (const player of this.#players.values()) if (player.paused) this.#start(player);
  };

  /** From within a tap: browsers that refused to play let it now. */
  unlock(): void {
    for (const player of this.#players.values()) void player.play().catch(() => undefined);
    this.#events.onSoundLocked(false);
  }

  /** Plays all voices on this device; '' = the default one. */
  useSpeaker(id: string): void {
    this.#speaker = id;
    for (const player of this.#players.values()) this.#route(player);
  }

  #route(player: HTMLAudioElement): void {
    if ('setSinkId' in player && player.sinkId !== this.#speaker)
      void player.setSinkId(this.#speaker).catch(() => undefined);
  }

  assigned(slot: Slot, publication: Publication | null): void {
    if (publication) this.#slots.set(slot, publication);
    else this.#slots.delete(slot);
    this.#events.onChange();
  }

  /** The link is too weak for pictures beside the voice; or carries them again. */
  picturesToldStopped(stopped: boolean): void {
    this.#picturesStopped = stopped;
    this.#events.onChange();
  }

  get picturesStopped(): boolean {
    return this.#picturesStopped;
  }

  /**
   * The picture of somebody's camera or screen, while it sits in a slot. A face that stands still would mislead; the last page
   * of a screen can still be read.
   */
  videoOf(user: string, source: Source): MediaStream | undefined {
    if (this.#picturesStopped && source === 'camera') return undefined;
    for (const [slot, publication] of this.#slots) {
      if (slot >= SCREEN && publication.user === user && publication.source === source) return this.#streams.get(slot);
    }
    return undefined;
  }

  #stateChanged(connection: RTCPeerConnection): void {
    clearTimeout(this.#restart);
    if (connection !== this.#connection) return;
    if (connection.connectionState === 'connected') this.#passes();
    if (connection.connectionState === 'failed') this.open();
    if (connection.connectionState === 'disconnected') this.#restart = setTimeout(this.#askRestart, RESTART_AFTER_MS);
    this.#events.onChange();
  }

  #passes(): void {
    clearTimeout(this.#blocked);
    this.#blocked = undefined;
    this.#events.onBlocked(false);
  }

  readonly #askRestart = () => {
    if (this.#connection && this.#connection.connectionState !== 'connected') {
      this.#events.send({ type: 'restart_subscriber' });
    }
  };

  get state(): RTCPeerConnectionState | 'none' {
    return this.#connection?.connectionState ?? 'none';
  }

  #end(): void {
    clearTimeout(this.#restart);
    clearTimeout(this.#offer);
    this.#connection?.close();
    this.#connection = undefined;
    this.#streams.clear();
    this.#slots.clear();
    this.#picturesStopped = false;
  }

  close(): void {
    clearTimeout(this.#blocked);
    document.removeEventListener('visibilitychange', this.playOn);
    this.#end();
    for (const player of this.#players.values()) player.remove();
    this.#players.clear();
  }
}

/** The same offer, its pictures asleep. */
export function withoutPictures(sdp: string): string {
  return sdp
    .split(/^(?=m=)/m)
    .map((section) =>
      section.startsWith('m=video') ? section.replace('\r\na=sendonly\r\n', '\r\na=inactive\r\n') : section,
    )
    .join('');
}
