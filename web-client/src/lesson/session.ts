import { batch, type Signal, signal } from '@preact/signals';
import type {
  Command,
  LessonInfo,
  Logged,
  Person,
  ReceiveMode,
  Role,
  ServerFrame,
  Welcome,
} from '../protocol/generated.ts';
import { apply, fromSnapshot, type LessonState, withParticipants } from '../room/state.ts';
import { type ApiError, ticket } from '../school/api.ts';
import { tabMemory } from '../signal/memory.ts';
import { PendingCommands, type Refused } from '../signal/pending.ts';
import { LessonSocket, type SocketState, type TicketAnswer } from '../signal/socket.ts';
import { type Approach, socketUrl } from './approach.ts';
import { LessonChat } from './chat.ts';
import { concernOf, type PersonalNotice } from './concerns.ts';
import { LessonData } from './data.ts';
import { LessonMedia } from './media.ts';
import { forgetSending, keepSending, sentBefore } from './reload.ts';

/** Who I am in this lesson. */
export interface Self {
  user: string;
  role: Role;
  lesson: LessonInfo;
  /** Server time minus this machine's, milliseconds. */
  clockOffsetMs: number;
}

/** How this device attends. */
export interface Wanted {
  receiveMode: ReceiveMode;
  /** Pictures of people that fit on the screen. */
  cameraSlots: number;
  /** Bytes that the lesson may cost. */
  budget: number | null;
  /** Bits per second that the network was measured to bear on the way to the server. */
  uplink?: number | undefined;
}

const KEEP_MS = 2_000;
const SETTLE_MS = 300;
const LEAVE_MS = 1_000;

/** One attended lesson: the socket and the fold, with its chat and its media, as signals that screens draw from. */
export class LessonSession {
  readonly connection: Signal<SocketState> = signal({ kind: 'connecting' });
  readonly self: Signal<Self | undefined> = signal(undefined);
  readonly state: Signal<LessonState | undefined> = signal(undefined);
  readonly people: Signal<ReadonlyMap<string, Person>> = signal(new Map());
  readonly speaking: Signal<ReadonlySet<string>> = signal(new Set());
  readonly chat: LessonChat;
  readonly data: LessonData;
  readonly media: LessonMedia;
  onNotice: (notice: PersonalNotice) => void = () => undefined;

  readonly #lesson: string;
  readonly #way: Approach | undefined;
  readonly #socket: LessonSocket;
  readonly #pending: PendingCommands;
  readonly #keeper: ReturnType<typeof setInterval>;
  /** What the page before this one sent has been looked at. */
  #settled = false;
  /** The next welcome is another server's, to which the lesson moves. */
  #moved = false;

  constructor(lesson: string, session: string, wanted: Wanted, way?: Approach) {
    this.#lesson = lesson;
    this.#way = way;
    this.#socket = new LessonSocket({
      ticket: () => this.#ticket(lesson, session),
      position: () => this.state.value?.position,
      beside: () => (this.state.value ? [] : this.media.ask()),
      open: (url) => way?.socket(url) ?? new WebSocket(url),
      onFrame: (frame) => batch(() => this.#frame(frame)),
      onState: (state) => this.#connectionChanged(state),
      onMoved: () => {
        this.#moved = true;
      },
    });
    const send = this.#socket.send.bind(this.#socket);
    this.#pending = new PendingCommands(`${lesson}.${session}`, tabMemory, ({ id, command }) =>
      send({ type: 'command', id, command }),
    );
    this.chat = new LessonChat({ pending: this.#pending, send, author: () => this.#author() });
    const media = {
      send,
      command: (command: Command) => this.command(command),
      me: () => this.#me(),
      onProblem: (source, error) => this.onNotice({ kind: 'device', source, error }),
      onStalled: () => this.#socket.doubt(),
    } satisfies ConstructorParameters<typeof LessonMedia>[0];
    this.media = new LessonMedia(media, wanted.receiveMode, wanted.cameraSlots, wanted.uplink);
    this.data = new LessonData(send, wanted.budget);
    this.#keeper = setInterval(this.#keepSending, KEEP_MS);
    addEventListener('pagehide', this.#keepSending);
  }

  /** Enters. Call from within a tap where there is one: it also allows sound. */
  enter(): void {
    this.#socket.start();
  }

  #connectionChanged(state: SocketState): void {
    this.connection.value = state;
    if (state.kind !== 'stopped') return;
    forgetSending();
    clearInterval(this.#keeper);
    removeEventListener('pagehide', this.#keepSending);
    this.media.close();
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
        this.chat.reload();
        break;
      case 'chat_page':
        this.chat.page(frame);
        break;
      case 'people':
        this.#meet(frame.people);
        if (this.state.value) this.state.value = withParticipants(this.state.value, frame.participants ?? []);
        break;
      case 'counts':
        if (this.state.value) this.state.value = { ...this.state.value, studentsPresent: frame.students_present };
        break;
      case 'speaking':
        this.speaking.value = new Set(frame.users);
        break;
      case 'data_used':
        this.data.told(frame);
        break;
      default:
        this.media.frame(frame);
    }
  }

  #welcomed(welcome: Welcome): void {
    const { user, role, lesson } = welcome;
    this.self.value = { user, role, lesson, clockOffsetMs: welcome.server_time - Date.now() };
    this.#meet(welcome.people);
    const first = this.state.value === undefined;
    if (welcome.snapshot) this.state.value = fromSnapshot(welcome.snapshot);
    if (first) this.#begin();
    else if (welcome.snapshot) this.chat.reload();
    if (this.#moved) this.media.moved();
    else this.media.welcomed();
    this.#moved = false;
    this.data.welcomed();
    this.#pending.resend();
    setTimeout(() => this.#settle(first), SETTLE_MS);
  }

  /** The first welcome of this page. */
  #begin(): void {
    for (const { id, command, done } of this.#pending.restore()) {
      if (command.type === 'say') this.chat.restored(id, command.text, command.to, done);
      else done.catch(() => undefined);
    }
    this.media.begin();
    this.chat.reload();
  }

  /** Shortly after a welcome, when missed events and lost legs have been told: media follows. */
  #settle(first: boolean): void {
    if (this.connection.value.kind !== 'open') return;
    if (!first) this.media.revive();
    this.#settled = true;
    this.media.reconcile(first ? sentBefore(this.#lesson) : {});
  }

  readonly #keepSending = () => {
    if (this.#settled) keepSending(this.#lesson, this.media.own.sending());
  };

  #meet(people: readonly Person[]): void {
    const known = new Map(this.people.value);
    for (const person of people) known.set(person.user, person);
    this.people.value = known;
  }

  #event(logged: Logged): void {
    // During a move two servers tell the same.
    if (!this.state.value || logged.number <= this.state.value.position.number) return;
    const published = this.#me()?.published.map(({ source }) => source) ?? [];
    this.state.value = apply(this.state.value, logged);
    this.chat.apply(logged);
    const self = this.self.value;
    if (!self) return;
    const { notices, letGo, silence } = concernOf(logged.event, { user: self.user, role: self.role, published });
    if (silence && this.media.silence()) notices.push({ kind: 'muted' });
    if (letGo.length > 0) void this.media.own.letGo(letGo);
    for (const notice of notices) this.onNotice(notice);
  }

  #me() {
    const user = this.self.value?.user;
    return user ? this.state.value?.participants.get(user) : undefined;
  }

  #author() {
    return { user: this.self.value?.user ?? '', now: Date.now() + (this.self.value?.clockOffsetMs ?? 0) };
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

  async #ticket(lesson: string, session: string): Promise<TicketAnswer> {
    try {
      const answer = (await this.#way?.ticket()) ?? (await ticket(lesson, session));
      this.media.relays = answer.ice_servers ?? [];
      return { ok: true, ticket: answer.ticket, url: socketUrl(answer.socket) };
    } catch (error) {
      const { status, code } = error as ApiError;
      return { ok: false, status: status ?? 0, error: code ?? 'other' };
    }
  }

  /** Leaves on purpose: told to the class, then closed. */
  async leave(): Promise<void> {
    const told = this.#pending.submit({ type: 'leave' }).catch(() => undefined);
    await Promise.race([told, new Promise((done) => setTimeout(done, LEAVE_MS))]);
    this.#socket.stop('left');
  }

  /** The page goes away without leaving: the place is kept. */
  abandon(): void {
    this.#socket.stop('left');
  }
}
