import { type ClientFrame, type Position, type ServerFrame, VERSION } from '../protocol/generated.ts';
import { afterClose, afterTicketRefused, type NextStep, type StopReason } from './policy.ts';

/** How the socket stands; drawn as a line over the lesson. */
export type SocketState =
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'cut'; since: number }
  | { kind: 'stopped'; reason: StopReason };

/** A ticket, or why there is none. */
export type TicketAnswer = { ok: true; ticket: string; url: string } | { ok: false; status: number; error: string };

export interface SocketOptions {
  ticket(): Promise<TicketAnswer>;
  /** Where the fold stands; `undefined` before the first snapshot. */
  position(): Position | undefined;
  /** What is sent with hello, without waiting for its answer. */
  beside?(): ClientFrame[];
  onFrame(frame: ServerFrame): void;
  onState(state: SocketState): void;
  /** The welcome that follows is another server's, to which the lesson moves: the state was and stays open. */
  onMoved(): void;
  open?(url: string): WebSocket;
}

const PING_MS = 10_000;
/** Nothing heard for this long: the line is dead, whatever the socket believes. */
const DEAD_MS = 25_000;
/** Not welcomed within this: given up, and tried anew. Longer the second time: the network may be slow, not the server dead. */
const FIRST_OPEN_MS = 5_000;
const OPEN_MS = 10_000;
const PROBE_MS = 3_000;
/** The same where the media have fallen silent: a narrow link may be full, and slow to answer. */
const DOUBT_MS = 6_000;

/**
 * The connection of one lesson: fetches a ticket, says hello with the position, and comes back by itself, as the close
 * code says, until it is stopped for a reason. A server that goes down says so before: then a second connection is made to
 * another one, while the first still carries the lesson.
 */
export class LessonSocket {
  readonly #options: SocketOptions;
  /** Welcomed: it carries the lesson. */
  #current: WebSocket | undefined;
  /** On its way to the welcome; beside the current one during a move. */
  #coming: WebSocket | undefined;
  #attempt = 0;
  /** A socket was waited for in vain since the last welcome. */
  #gaveUp = false;
  /** The lesson is attached, as far as anybody was told. */
  #open = false;
  #cutSince: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setInterval> | undefined;
  #heard = 0;
  #stopped = false;
  /** A ticket is being fetched: nobody else may start. */
  #asking = false;

  constructor(options: SocketOptions) {
    this.#options = options;
  }

  start(): void {
    addEventListener('online', this.#networkBack);
    document.addEventListener('visibilitychange', this.#lookUp);
    this.#options.onState({ kind: 'connecting' });
    void this.#connect();
  }

  /** Ends it on purpose; nothing comes back. */
  stop(reason: StopReason): void {
    if (this.#stopped) return;
    this.#stopped = true;
    removeEventListener('online', this.#networkBack);
    document.removeEventListener('visibilitychange', this.#lookUp);
    clearTimeout(this.#timer);
    this.#dropComing();
    this.#dropCurrent();
    this.#options.onState({ kind: 'stopped', reason });
  }

  /** Sends a frame if the lesson is attached; otherwise it is lost (commands are kept by `PendingCommands`). */
  send(frame: ClientFrame): boolean {
    if (this.#current?.readyState !== WebSocket.OPEN) return false;
    this.#write(this.#current, frame);
    return true;
  }

  #write(socket: WebSocket, frame: ClientFrame): void {
    const text = JSON.stringify(frame);
    socket.send(text);
  }

  /** One more connection: the first one, one after a cut, or one beside the current in a move. */
  async #connect(): Promise<void> {
    if (this.#asking || this.#coming) return;
    this.#asking = true;
    const answer = await this.#options.ticket();
    this.#asking = false;
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    if (!answer.ok) {
      this.#next(afterTicketRefused(answer.status, answer.error, this.#attempt));
      return;
    }
    const socket = (this.#options.open ?? ((url) => new WebSocket(url)))(answer.url);
    this.#coming = socket;
    this.#timer = setTimeout(() => this.#unwelcome(socket), this.#gaveUp ? OPEN_MS : FIRST_OPEN_MS);
    const hello = () => this.#hello(socket, answer.ticket);
    if (socket.readyState === WebSocket.OPEN) hello();
    else socket.onopen = hello;
    socket.onmessage = (message) => this.#receive(socket, String(message.data));
    socket.onclose = (close) => this.#lost(socket, close.code);
  }

  #hello(socket: WebSocket, ticket: string): void {
    const position = this.#options.position();
    this.#write(socket, { type: 'hello', version: VERSION, ticket, ...(position && { position }) });
    for (const frame of this.#options.beside?.() ?? []) this.#write(socket, frame);
  }

  #receive(socket: WebSocket, text: string): void {
    if (socket !== this.#current && socket !== this.#coming) return;
    const frame = JSON.parse(text) as ServerFrame;
    if (frame.type === 'welcome' && socket === this.#coming) this.#attached(socket);
    if (socket === this.#current) this.#heard = Date.now();
    if (frame.type === 'move') void this.#connect();
    else this.#options.onFrame(frame);
  }

  #attached(socket: WebSocket): void {
    clearTimeout(this.#timer);
    this.#dropCurrent();
    this.#coming = undefined;
    this.#current = socket;
    this.#attempt = 0;
    this.#gaveUp = false;
    this.#cutSince = undefined;
    this.#pulse = setInterval(this.#beat, PING_MS);
    if (this.#open) this.#options.onMoved();
    else this.#options.onState({ kind: 'open' });
    this.#open = true;
  }

  readonly #beat = () => {
    if (Date.now() - this.#heard > DEAD_MS && this.#current) this.#lost(this.#current, 1006);
    else this.send({ type: 'ping', nonce: Date.now() % 2 ** 31 });
  };

  #unwelcome(socket: WebSocket): void {
    this.#gaveUp = true;
    this.#lost(socket, 1006);
  }

  #lost(socket: WebSocket, code: number): void {
    if (this.#stopped) return;
    if (socket === this.#coming) this.#dropComing();
    else if (socket === this.#current) {
      this.#dropCurrent();
      // The other server has taken the lesson over, and will say so: this one may close with any code, also `replaced`.
      if (this.#coming) return;
    } else return;
    this.#next(afterClose(code, this.#attempt));
  }

  #dropComing(): void {
    clearTimeout(this.#timer);
    close(this.#coming);
    this.#coming = undefined;
  }

  #dropCurrent(): void {
    clearInterval(this.#pulse);
    close(this.#current);
    this.#current = undefined;
  }

  #next(step: NextStep): void {
    if (step.kind === 'stop') {
      this.stop(step.reason);
      return;
    }
    this.#attempt += 1;
    if (!this.#current) {
      this.#open = false;
      this.#cutSince ??= Date.now();
      this.#options.onState({ kind: 'cut', since: this.#cutSince });
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), step.afterMs);
  }

  /** The browser was without a network: whatever was open over the old one is dead, though nobody said so. */
  readonly #networkBack = () => {
    const { current, coming } = { current: this.#current, coming: this.#coming };
    if (current && coming) this.#dropComing();
    const socket = current ?? coming;
    if (socket) this.#lost(socket, 1006);
    else this.#lookUp();
  };

  /**
   * The page is looked at again: do not sit out the back-off. A phone that slept believes its socket to be open: ask, and look
   * again soon.
   */
  readonly #lookUp = () => {
    if (document.hidden || this.#stopped) return;
    if (this.#current) {
      this.#probe(this.#current, PROBE_MS);
      return;
    }
    if (this.#coming) return;
    clearTimeout(this.#timer);
    void this.#connect();
  };

  /** The media have fallen silent: whether the line is still there is asked at once, long before the pulse would tell. */
  doubt(): void {
    if (this.#current) this.#probe(this.#current, DOUBT_MS);
  }

  #probe(socket: WebSocket, patienceMs: number): void {
    const asked = Date.now();
    if (!this.send({ type: 'ping', nonce: asked % 2 ** 31 })) return;
    setTimeout(() => {
      if (this.#heard < asked) this.#lost(socket, 1006);
    }, patienceMs);
  }
}

function close(socket: WebSocket | undefined): void {
  if (socket && socket.readyState < WebSocket.CLOSING) socket.close();
}
