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
  onFrame(frame: ServerFrame): void;
  onState(state: SocketState): void;
  open?(url: string): WebSocket;
}

const PING_MS = 10_000;
/** Nothing heard for this long: the line is dead, whatever the socket believes. */
const DEAD_MS = 25_000;
const OPEN_MS = 10_000;
const PROBE_MS = 3_000;

/**
 * The connection of one lesson: fetches a ticket, says hello with the position, and comes back by itself, as the close
 * code says, until it is stopped for a reason.
 */
export class LessonSocket {
  readonly #options: SocketOptions;
  #socket: WebSocket | undefined;
  #attempt = 0;
  #cutSince: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setInterval> | undefined;
  #heard = 0;
  #welcomed = false;
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
    this.#drop();
    this.#options.onState({ kind: 'stopped', reason });
  }

  /** Sends a frame if the lesson is attached; otherwise it is lost (commands are kept by `PendingCommands`). */
  send(frame: ClientFrame): boolean {
    if (!this.#welcomed || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#write(this.#socket, frame);
    return true;
  }

  #write(socket: WebSocket, frame: ClientFrame): void {
    const text = JSON.stringify(frame);
    socket.send(text);
  }

  async #connect(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const answer = await this.#options.ticket();
    this.#asking = false;
    if (this.#stopped) return;
    if (!answer.ok) {
      this.#next(afterTicketRefused(answer.status, answer.error, this.#attempt));
      return;
    }
    const socket = (this.#options.open ?? ((url) => new WebSocket(url)))(answer.url);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(socket, 1006), OPEN_MS);
    socket.onopen = () => {
      const position = this.#options.position();
      this.#write(socket, { type: 'hello', version: VERSION, ticket: answer.ticket, ...(position && { position }) });
    };
    socket.onmessage = (message) => this.#receive(socket, String(message.data));
    socket.onclose = (close) => this.#lost(socket, close.code);
  }

  #receive(socket: WebSocket, text: string): void {
    if (socket !== this.#socket) return;
    this.#heard = Date.now();
    const frame = JSON.parse(text) as ServerFrame;
    if (frame.type === 'welcome') this.#attached();
    this.#options.onFrame(frame);
  }

  #attached(): void {
    clearTimeout(this.#timer);
    this.#welcomed = true;
    this.#attempt = 0;
    this.#cutSince = undefined;
    this.#pulse = setInterval(this.#beat, PING_MS);
    this.#options.onState({ kind: 'open' });
  }

  readonly #beat = () => {
    if (Date.now() - this.#heard > DEAD_MS && this.#socket) this.#lost(this.#socket, 1006);
    else this.send({ type: 'ping', nonce: Date.now() % 2 ** 31 });
  };

  #lost(socket: WebSocket, code: number): void {
    if (socket !== this.#socket || this.#stopped) return;
    this.#drop();
    this.#next(afterClose(code, this.#attempt));
  }

  #drop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#pulse);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#welcomed = false;
    if (socket && socket.readyState < WebSocket.CLOSING) socket.close();
  }

  #next(step: NextStep): void {
    if (step.kind === 'stop') {
      this.stop(step.reason);
      return;
    }
    this.#attempt += 1;
    this.#cutSince ??= Date.now();
    this.#options.onState({ kind: 'cut', since: this.#cutSince });
    this.#timer = setTimeout(() => void this.#connect(), step.afterMs);
  }

  /** The browser was without a network: whatever was open over the old one is dead, though nobody said so. */
  readonly #networkBack = () => {
    if (this.#socket) this.#lost(this.#socket, 1006);
    else this.#lookUp();
  };

  /**
   * The page is looked at again: do not sit out the back-off. A phone that slept believes its socket to be open: ask, and look
   * again soon.
   */
  readonly #lookUp = () => {
    if (document.hidden || this.#stopped) return;
    if (this.#socket) {
      this.#probe(this.#socket);
      return;
    }
    clearTimeout(this.#timer);
    void this.#connect();
  };

  #probe(socket: WebSocket): void {
    const asked = Date.now();
    if (!this.send({ type: 'ping', nonce: asked % 2 ** 31 })) return;
    setTimeout(() => {
      if (this.#heard < asked) this.#lost(socket, 1006);
    }, PROBE_MS);
  }
}
