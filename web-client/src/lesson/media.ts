import { type Signal, signal } from '@preact/signals';
import { stayAwake } from '../media/awake.ts';
import type { DeviceError } from '../media/capture.ts';
import { handover } from '../media/handover.ts';
import { unpacked } from '../media/packed.ts';
import { PublisherLeg } from '../media/publisher.ts';
import { SubscriberLeg } from '../media/subscriber.ts';
import type {
  ClientFrame,
  Command,
  Participant,
  ReceiveMode,
  ServerFrame,
  Source,
  WantedVideo,
} from '../protocol/generated.ts';
import { OwnMedia, type Sending } from './ownMedia.ts';

/** What the media need from the lesson. */
export interface MediaPorts {
  send(frame: ClientFrame): void;
  command(command: Command): Promise<number>;
  /** How the log sees me; `undefined` before the welcome. */
  me(): Participant | undefined;
  onProblem(source: Source, error: DeviceError): void;
  /** Nothing comes over a leg any more. */
  onStalled(): void;
}

/** The two legs of a lesson: own devices on one, voices and pictures of the others on the other. */
export class LessonMedia {
  readonly own: OwnMedia;
  readonly receiveMode: Signal<ReceiveMode>;
  /** Counts changes of received pictures. */
  readonly received = signal(0);
  readonly soundLocked = signal(false);
  /** The network lets no voice or picture through. */
  readonly blocked = signal(false);
  /** Of the last ticket. */
  relays: RTCIceServer[] = [];
  readonly #ports: MediaPorts;
  readonly #publisher: PublisherLeg;
  /** What is seen and heard. */
  #subscriber: SubscriberLeg;
  /** The leg at the server to which the lesson moves, until all comes over it. */
  #successor: SubscriberLeg | undefined;
  #cameras: readonly WantedVideo[] = [];
  #letSleep: (() => void) | undefined;

  /** `uplink`: bits per second that the network was measured to bear. */
  constructor(ports: MediaPorts, receiveMode: ReceiveMode, cameraSlots: number, uplink?: number) {
    this.#ports = ports;
    this.receiveMode = signal(receiveMode);
    const { send, onStalled } = ports;
    const relays = () => this.relays;
    const publishing = {
      send,
      relays,
      onStalled,
      onEnded: (source) => void this.own.ended(source),
      onSilenced: (source) => void this.own.silenced(source),
      onUplink: (state) =>
        void this.own.followUplink(state, (source) => this.#mayPublish(source)).catch(() => undefined),
    } satisfies ConstructorParameters<typeof PublisherLeg>[0];
    this.#publisher = new PublisherLeg(publishing, uplink);
    this.#subscriber = new SubscriberLeg({ send, relays, onStalled, ...this.#receiving() }, cameraSlots);
    this.own = new OwnMedia({
      publisher: this.#publisher,
      command: ports.command,
      me: ports.me,
      onProblem: ports.onProblem,
      onCapture: () => this.#subscriber.playOn(),
    });
  }

  #receiving() {
    return {
      onChange: () => {
        this.received.value += 1;
      },
      onBlocked: (blocked: boolean) => {
        this.blocked.value = blocked;
      },
      onSoundLocked: (locked: boolean) => {
        this.soundLocked.value = locked;
      },
    };
  }

  /** What is asked for together with the first hello, so that its answer comes with the welcome. */
  ask(): ClientFrame[] {
    return [this.#subscriber.ask()];
  }

  /** The first welcome of this page. */
  begin(): void {
    this.#subscriber.open();
    this.#letSleep = stayAwake();
    document.addEventListener('visibilitychange', this.#seen);
    navigator.mediaDevices?.addEventListener('devicechange', this.#seen);
  }

  /** The page is looked at again, or a device was plugged in: what was taken from here may be free. */
  readonly #seen = () => {
    if (!document.hidden) void this.own.takeBack((source) => this.#mayPublish(source));
  };

  /** Every welcome: the server is told anew what to send here. */
  welcomed(): void {
    this.#publisher.welcomed();
    this.#newest.welcomed();
    this.tellReceive();
  }

  /** The welcome of another server: legs there, while the present ones carry on. */
  moved(): void {
    this.#successor?.close();
    const successor = this.#subscriber.successor();
    this.#successor = successor;
    void this.#publisher.move().catch(() => undefined);
    this.tellReceive();
    void handover(this.#subscriber, successor).then(() => this.#handOver(successor));
  }

  #handOver(successor: SubscriberLeg): void {
    if (successor !== this.#successor) return;
    const former = this.#subscriber;
    this.#subscriber = successor;
    this.#successor = undefined;
    successor.sound();
    former.close();
    this.received.value += 1;
  }

  /** The leg that the server speaks of. */
  get #newest(): SubscriberLeg {
    return this.#successor ?? this.#subscriber;
  }

  /** A later welcome, when lost legs have been told: legs that the cut took are made again. */
  revive(): void {
    this.#newest.revive();
    void this.#publisher.revive().catch(() => undefined);
  }

  /** Makes devices and log agree; `before` is what the page before a slow reload sent. */
  reconcile(before: Sending): void {
    void this.own.reconcile((source) => this.#mayPublish(source), before).catch(() => undefined);
  }

  #mayPublish(source: Source): boolean {
    const me = this.#ports.me();
    if (me?.role === 'teacher') return true;
    return me?.role === 'student' && me.floor && (source !== 'camera' || me.camera !== null);
  }

  /** A frame about media; others are nothing to it. */
  frame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'publisher_answer':
        this.#publisher.answered(frame.sdp);
        break;
      case 'subscriber_offer':
        this.#newest.offered(frame.sdp);
        break;
      case 'packed_offer':
        this.#newest.offered(unpacked(frame.packed));
        break;
      case 'slot_assigned':
        this.#newest.assigned(frame.slot, frame.publication);
        break;
      case 'layers_wanted':
        void this.#publisher.layersWanted(frame.layers);
        break;
      case 'pictures_stopped':
        this.#newest.picturesToldStopped(frame.stopped);
        break;
      case 'voice_rate':
        void this.#publisher.voiceRate(frame.bitrate).catch(() => undefined);
        break;
      case 'screen_rate':
        void this.#publisher.screenRate(frame.bitrate);
        break;
      case 'codecs_decoded':
        void this.#publisher.codecsDecoded(frame.codecs);
        break;
      case 'leg_lost':
        if (frame.leg === 'subscriber') this.#newest.lost();
        else void this.#publisher.lost().catch(() => undefined);
        break;
      case 'error':
        if (frame.error === 'bad_media') this.#publisher.refused();
        break;
    }
  }

  /** Silences the microphone here; true where it was open. */
  silence(): boolean {
    const open = this.#publisher.track('microphone')?.enabled ?? false;
    this.#publisher.setEnabled('microphone', false);
    return open;
  }

  setReceiveMode(mode: ReceiveMode): void {
    this.receiveMode.value = mode;
    this.tellReceive();
  }

  showCameras(cameras: readonly WantedVideo[]): void {
    this.#cameras = cameras;
    this.tellReceive();
  }

  /** Tells the server what to send here. */
  tellReceive(): void {
    const pictures = this.receiveMode.value !== 'voice';
    this.#subscriber.receivePictures(pictures);
    this.#successor?.receivePictures(pictures);
    this.#ports.send({ type: 'receive', mode: this.receiveMode.value, cameras: [...this.#cameras] });
  }

  /** The received picture of somebody. */
  videoOf(user: string, source: Source): MediaStream | undefined {
    void this.received.value;
    return this.#subscriber.videoOf(user, source);
  }

  /** The server stopped all pictures to keep the voice. */
  get picturesStopped(): boolean {
    void this.received.value;
    return this.#subscriber.picturesStopped;
  }

  unlockSound(): void {
    this.#subscriber.unlock();
  }

  useSpeaker(id: string): void {
    this.#subscriber.useSpeaker(id);
    this.#successor?.useSpeaker(id);
  }

  close(): void {
    this.#letSleep?.();
    document.removeEventListener('visibilitychange', this.#seen);
    navigator.mediaDevices?.removeEventListener('devicechange', this.#seen);
    this.#publisher.close();
    this.#successor?.close();
    this.#successor = undefined;
    this.#subscriber.close();
  }
}
