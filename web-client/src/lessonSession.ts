import { batch, type Signal, signal } from '@preact/signals';
import { stayAwake } from './media/awake.ts';
import type { DeviceError } from './media/capture.ts';
import { PublisherLeg } from './media/publisher.ts';
import { SubscriberLeg } from './media/subscriber.ts';
import { Traffic } from './media/traffic.ts';
import { OwnMedia } from './ownMedia.ts';
import { forgetSending, keepSending, sentBefore } from './reload.ts';
import type {
  Command,
  ErrorCode,
  LessonInfo,
  Logged,
  Person,
  ReceiveMode,
  Recipients,
  Role,
  ServerFrame,
  Source,
  WantedVideo,
  Welcome,
} from './protocol/generated.ts';
import { addPage, addPending, applyToChat, type ChatState, dropPending, EMPTY_CHAT, markPending } from './room/chat.ts';
import { apply, fromSnapshot, type LessonState } from './room/state.ts';
import { type ApiError, ticket } from './school/api.ts';
import { uuidv7 } from './signal/ids.ts';
import { PendingCommands, Refused } from './signal/pending.ts';
import { LessonSocket, type SocketState, type TicketAnswer } from './signal/socket.ts';

/** Who I am in this lesson. */
export interface Self {
  user: string;
  role: Role;
  lesson: LessonInfo;
  /** Server time minus this machine's, milliseconds. */
  clockOffsetMs: number;
}

/** What happened to me, for a line at the top of the screen. */
export type PersonalNotice =
  | { kind: 'muted' | 'camera_stopped' | 'floor_taken' | 'floor_given' | 'refused'; code?: ErrorCode }
  | { kind: 'device'; source: Source; error: DeviceError }
  | { kind: 'visit'; user: string; role: Role };

const METER_MS = 2_000;
const SETTLE_MS = 300;

/** One attended lesson: the socket, the fold and the media, as signals that screens draw from. */
export class LessonSession {
  readonly connection: Signal<SocketState> = signal({ kind: 'connecting' });
  readonly self: Signal<Self | undefined> = signal(undefined);
  readonly state: Signal<LessonState | undefined> = signal(undefined);
  readonly people: Signal<ReadonlyMap<string, Person>> = signal(new Map());
  readonly chat: Signal<ChatState> = signal(EMPTY_CHAT);
  readonly loadingOlder = signal(false);
  readonly speaking: Signal<ReadonlySet<string>> = signal(new Set());
  /** Counts changes of received pictures. */
  readonly received = signal(0);
  readonly soundLocked = signal(false);
  readonly bytes = signal(0);
  readonly receiveMode: Signal<ReceiveMode>;
  readonly own: OwnMedia;
  onNotice: (notice: PersonalNotice) => void = () => undefined;

  readonly #lesson: string;
  readonly #socket: LessonSocket;
  readonly #pending: PendingCommands;
  readonly #publisher: PublisherLeg;
  readonly #subscriber: SubscriberLeg;
  readonly #traffic = new Traffic();
  readonly #meter: ReturnType<typeof setInterval>;
  #cameras: readonly WantedVideo[] = [];
  #pulls = 0;
  /** What the page before this one sent has been looked at. */
  #settled = false;
  #letSleep: (() => void) | undefined;

  constructor(lesson: string, session: string, receiveMode: ReceiveMode, cameraSlots: number) {
    this.#lesson = lesson;
    this.receiveMode = signal(receiveMode);
    this.#socket = new LessonSocket({
      ticket: () => this.#ticket(session),
      position: () => this.state.value?.position,
      onFrame: (frame) => batch(() => this.#frame(frame)),
      onState: (state) => this.#connectionChanged(state),
    });
    this.#pending = new PendingCommands(`${lesson}.${session}`, sessionStorage, ({ id, command }) =>
      this.#socket.send({ type: 'command', id, command }),
    );
    const send = this.#socket.send.bind(this.#socket);
    this.#publisher = new PublisherLeg({ send, onEnded: (source) => void this.own.ended(source) });
    this.#subscriber = new SubscriberLeg(
      {
        send,
        onChange: () => {
          this.received.value += 1;
        },
        onSoundLocked: (locked) => {
          this.soundLocked.value = locked;
        },
      },
      cameraSlots,
    );
    this.own = new OwnMedia({
      publisher: this.#publisher,
      command: (command) => this.command(command),
      me: () => this.#me(),
      onProblem: (source, error) => this.onNotice({ kind: 'device', source, error }),
      onCapture: () => this.#subscriber.playOn(),
    });
    this.#meter = setInterval(() => void this.#measure(), METER_MS);
    addEventListener('pagehide', this.#keepSending);
  }

  /** Enters. Call from within a tap where there is one: it also allows sound. */
  enter(): void {
    this.#socket.start();
  }

  async #ticket(session: string): Promise<TicketAnswer> {
    try {
      const answer = await ticket(this.#lesson, session);
      const url = new URL(answer.socket, location.href);
      url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
      return { ok: true, ticket: answer.ticket, url: url.href };
    } catch (error) {
      const { status, code } = error as ApiError;
      return { ok: false, status: status ?? 0, error: code ?? 'other' };
    }
  }

  #connectionChanged(state: SocketState): void {
    this.connection.value = state;
    if (state.kind !== 'stopped') return;
    forgetSending();
    this.#release();
  }

  #frame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'welcome':
        this.#welcomed(frame);
        break;
      case 'event':
        this.#event(frame);
        break;
      case 'accepted':
        this.#pending.accepted(frame.id, frame.number);
        break;
      case 'refused':
        this.#pending.refused(frame.id, frame.error, frame.retry_after_ms);
        break;
      case 'reset':
        this.state.value = fromSnapshot(frame.snapshot);
        this.#meet(frame.people);
        this.#reloadChat();
        break;
      case 'chat_page':
        this.chat.value = addPage(this.chat.value, frame.lines, frame.more);
        this.loadingOlder.value = false;
        break;
      case 'people':
        this.#meet(frame.people);
        break;
      case 'counts':
        if (this.state.value) this.state.value = { ...this.state.value, studentsPresent: frame.students_present };
        break;
      case 'speaking':
        this.speaking.value = new Set(frame.users);
        break;
      case 'error':
        if (frame.error === 'bad_media') this.#publisher.refused();
        break;
      default:
        this.#mediaFrame(frame);
    }
  }

  #mediaFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'publisher_answer':
        this.#publisher.answered(frame.sdp);
        break;
      case 'subscriber_offer':
        this.#subscriber.offered(frame.sdp);
        break;
      case 'slot_assigned':
        this.#subscriber.assigned(frame.slot, frame.publication);
        break;
      case 'layers_wanted':
        void this.#publisher.layersWanted(frame.layers);
        break;
      case 'leg_lost':
        if (frame.leg === 'subscriber') this.#subscriber.open();
        else void this.#publisher.reopen().catch(() => undefined);
        break;
    }
  }

  #welcomed(welcome: Welcome): void {
    const { user, role, lesson } = welcome;
    this.self.value = { user, role, lesson, clockOffsetMs: welcome.server_time - Date.now() };
    this.#meet(welcome.people);
    const first = this.state.value === undefined;
    if (welcome.snapshot) this.state.value = fromSnapshot(welcome.snapshot);
    if (first) this.#begin();
    else if (welcome.snapshot) this.#reloadChat();
    this.#tellReceive();
    this.#pending.resend();
    setTimeout(() => this.#settle(first), SETTLE_MS);
  }

  /** Shortly after a welcome, when missed events and lost legs have been told: media follows. */
  #settle(first: boolean): void {
    if (this.connection.value.kind !== 'open') return;
    if (!first) {
      this.#subscriber.revive();
      void this.#publisher.revive().catch(() => undefined);
    }
    this.#settled = true;
    const before = first ? sentBefore(this.#lesson) : {};
    void this.own.reconcile((source) => this.#mayPublish(source), before).catch(() => undefined);
  }

  readonly #keepSending = () => {
    if (this.#settled) keepSending(this.#lesson, this.own.sending());
  };

  /** The first welcome of this page. */
  #begin(): void {
    for (const { id, command, done } of this.#pending.restore()) {
      if (command.type === 'say') this.#showPending(id, command.text, command.to);
      this.#watchLine(id, done);
    }
    this.#subscriber.open();
    this.#reloadChat();
    this.#letSleep = stayAwake();
  }

  #meet(people: readonly Person[]): void {
    const known = new Map(this.people.value);
    for (const person of people) known.set(person.user, person);
    this.people.value = known;
  }

  #event(logged: Logged): void {
    if (!this.state.value) return;
    const before = this.#me();
    this.state.value = apply(this.state.value, logged);
    this.chat.value = applyToChat(this.chat.value, logged);
    this.#concernsMe(logged, before?.published.map(({ source }) => source) ?? []);
  }

  /** Events about myself that others caused: devices follow, and a word says so. */
  #concernsMe({ event }: Logged, published: readonly Source[]): void {
    const me = this.self.value?.user;
    const byOther = 'by' in event && event.by !== me;
    if (event.type === 'attached' && event.visit && event.user !== me) {
      this.onNotice({ kind: 'visit', user: event.user, role: event.role });
    }
    if (event.type === 'all_muted' && byOther && this.self.value?.role === 'student') this.#mutedByTeacher();
    if (!('user' in event) || event.user !== me) return;
    if (event.type === 'muted_set' && event.muted && byOther) this.#mutedByTeacher();
    if (event.type === 'floor_given') this.onNotice({ kind: 'floor_given' });
    if (event.type === 'floor_taken') {
      void this.own.letGo(published);
      if (byOther) this.onNotice({ kind: 'floor_taken' });
    }
    if (event.type === 'camera_revoked' || (event.type === 'unpublished' && byOther)) {
      const source = event.type === 'unpublished' ? event.source : 'camera';
      void this.own.letGo([source]);
      if (source === 'camera' && byOther) this.onNotice({ kind: 'camera_stopped' });
    }
  }

  #mutedByTeacher(): void {
    const sends = this.#publisher.track('microphone')?.enabled;
    this.#publisher.setEnabled('microphone', false);
    if (sends) this.onNotice({ kind: 'muted' });
  }

  #me() {
    const user = this.self.value?.user;
    return user ? this.state.value?.participants.get(user) : undefined;
  }

  #mayPublish(source: Source): boolean {
    const me = this.#me();
    if (me?.role === 'teacher') return true;
    return me?.role === 'student' && me.floor && (source !== 'camera' || me.camera !== null);
  }

  /** A command; a refusal becomes a word on the screen and rejects. */
  command(command: Command): Promise<number> {
    return this.#pending.submit(command).catch((error: Refused) => {
      this.onNotice({ kind: 'refused', code: error.code });
      throw error;
    });
  }

  /** A command whose outcome nobody waits for. */
  tell(command: Command): void {
    this.command(command).catch(() => undefined);
  }

  say(text: string, to: Recipients, id: string = uuidv7()): void {
    this.#showPending(id, text, to);
    this.#watchLine(id, this.#pending.submit({ type: 'say', text, to }, id));
  }

  #watchLine(id: string, done: Promise<number>): void {
    done.catch((error: unknown) => {
      if (error instanceof Refused) this.chat.value = markPending(this.chat.value, id, 'failed', error.code);
    });
  }

  #showPending(key: string, text: string, to: Recipients): void {
    const at = Date.now() + (this.self.value?.clockOffsetMs ?? 0);
    this.chat.value = addPending(this.chat.value, { key, user: this.self.value?.user ?? '', to, text, at });
  }

  /** Sends a refused line again, as a new command. */
  retryLine(key: string): void {
    const line = this.chat.value.pending.find((each) => each.key === key);
    this.discardLine(key);
    if (line?.text) this.say(line.text, line.to);
  }

  discardLine(key: string): void {
    this.#pending.forget(key);
    this.chat.value = dropPending(this.chat.value, key);
  }

  #reloadChat(): void {
    this.chat.value = { ...this.chat.value, lines: [] };
    this.#pull(null);
  }

  loadOlder(): void {
    const oldest = this.chat.value.lines[0]?.number;
    if (oldest !== undefined && !this.loadingOlder.value) this.#pull(oldest);
  }

  #pull(before: number | null): void {
    this.loadingOlder.value = true;
    this.#pulls += 1;
    this.#socket.send({ type: 'pull', request: this.#pulls, pull: { type: 'chat', before } });
  }

  setReceiveMode(mode: ReceiveMode): void {
    this.receiveMode.value = mode;
    this.#tellReceive();
  }

  showCameras(cameras: readonly WantedVideo[]): void {
    this.#cameras = cameras;
    this.#tellReceive();
  }

  #tellReceive(): void {
    this.#socket.send({ type: 'receive', mode: this.receiveMode.value, cameras: [...this.#cameras] });
  }

  /** The received picture of somebody, or one's own. */
  videoOf(user: string, source: Source): MediaStream | undefined {
    void this.received.value;
    return this.#subscriber.videoOf(user, source);
  }

  unlockSound(): void {
    this.#subscriber.unlock();
  }

  useSpeaker(id: string): void {
    this.#subscriber.useSpeaker(id);
  }

  async #measure(): Promise<void> {
    this.#keepSending();
    this.#traffic.add('subscriber', await this.#subscriber.stats());
    this.#traffic.add('publisher', await this.#publisher.stats());
    this.bytes.value = this.#traffic.bytes + this.#socket.bytes;
  }

  /** Leaves on purpose: told to the class, then closed. */
  async leave(): Promise<void> {
    const told = this.#pending.submit({ type: 'leave' }).catch(() => undefined);
    await Promise.race([told, new Promise((done) => setTimeout(done, 1_000))]);
    this.#socket.stop('left');
  }

  /** The page goes away without leaving: the place is kept. */
  abandon(): void {
    this.#socket.stop('left');
  }

  #release(): void {
    clearInterval(this.#meter);
    removeEventListener('pagehide', this.#keepSending);
    this.#letSleep?.();
    this.#publisher.close();
    this.#subscriber.close();
  }
}
