import type { ClientFrame, Publication, Slot, Source } from '../protocol/generated.ts';

/** What the receiving leg tells its owner. */
export interface SubscriberEvents {
  send(frame: ClientFrame): void;
  /** Slots or their streams changed: draw again. */
  onChange(): void;
  /** The browser waits for a tap before it plays sound; or no longer. */
  onSoundLocked(locked: boolean): void;
}

/** Slots below this carry the table's six fixed kinds; the rest are cameras. */
const SCREEN: Slot = 4;
const RESTART_AFTER_MS = 3_000;

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
  #speaker = '';

  constructor(events: SubscriberEvents, cameras: number) {
    this.#events = events;
    this.#cameras = cameras;
    addEventListener('online', this.#networkChanged);
  }

  /** Asks for the offer: on entry, and again when the leg was lost. */
  open(): void {
    this.#end();
    this.#events.send({ type: 'open_subscriber', cameras: this.#cameras });
  }

  /** The server's offer: the first one opens the connection, a later one restarts its ICE. */
  async offered(sdp: string): Promise<void> {
    const connection = this.#connection ?? this.#connect();
    await connection.setRemoteDescription({ type: 'offer', sdp });
    await connection.setLocalDescription();
    this.#events.send({ type: 'subscriber_answer', sdp: connection.localDescription?.sdp ?? '' });
  }

  #connect(): RTCPeerConnection {
    const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' });
    connection.ontrack = ({ transceiver, track }) => this.#trackArrived(Number(transceiver.mid), track);
    connection.onconnectionstatechange = () => this.#stateChanged(connection);
    this.#connection = connection;
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
    this.#players.set(slot, player);
    document.body.append(player);
    this.#route(player);
    player.play().then(
      () => this.#events.onSoundLocked(false),
      (error: DOMException) => {
        if (error.name === 'NotAllowedError') this.#events.onSoundLocked(true);
      },
    );
  }

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

  /** The picture of somebody's camera or screen, while it sits in a slot. */
  videoOf(user: string, source: Source): MediaStream | undefined {
    for (const [slot, publication] of this.#slots) {
      if (slot >= SCREEN && publication.user === user && publication.source === source) return this.#streams.get(slot);
    }
    return undefined;
  }

  #stateChanged(connection: RTCPeerConnection): void {
    clearTimeout(this.#restart);
    if (connection !== this.#connection) return;
    if (connection.connectionState === 'failed') this.open();
    if (connection.connectionState === 'disconnected') this.#restart = setTimeout(this.#askRestart, RESTART_AFTER_MS);
    this.#events.onChange();
  }

  readonly #askRestart = () => {
    if (this.#connection && this.#connection.connectionState !== 'connected') {
      this.#events.send({ type: 'restart_subscriber' });
    }
  };

  /** Another network: new credentials let the browser gather new addresses. */
  readonly #networkChanged = () => {
    if (this.#connection) this.#events.send({ type: 'restart_subscriber' });
  };

  get state(): RTCPeerConnectionState | 'none' {
    return this.#connection?.connectionState ?? 'none';
  }

  async stats(): Promise<RTCStatsReport | undefined> {
    return this.#connection?.getStats();
  }

  #end(): void {
    clearTimeout(this.#restart);
    this.#connection?.close();
    this.#connection = undefined;
    this.#streams.clear();
  }

  close(): void {
    removeEventListener('online', this.#networkChanged);
    this.#end();
    for (const player of this.#players.values()) player.remove();
    this.#players.clear();
    this.#slots.clear();
  }
}
