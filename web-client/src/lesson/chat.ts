import { type Signal, signal } from '@preact/signals';
import type { ClientFrame, Logged, Recipients, ServerFrame } from '../protocol/generated.ts';
import {
  addPage,
  addPending,
  applyToChat,
  type ChatState,
  dropPending,
  EMPTY_CHAT,
  markPending,
} from '../room/chat.ts';
import { uuidv7 } from '../signal/ids.ts';
import { type PendingCommands, Refused } from '../signal/pending.ts';

/** What the chat needs from the lesson. */
export interface ChatPorts {
  pending: PendingCommands;
  send(frame: ClientFrame): void;
  /** Who writes, and the server's time. */
  author(): { user: string; now: number };
}

/** The lesson's chat: lines of the log in pages, and lines on their way, which survive cuts and reloads. */
export class LessonChat {
  readonly state: Signal<ChatState> = signal(EMPTY_CHAT);
  readonly loadingOlder = signal(false);
  readonly #ports: ChatPorts;
  #pulls = 0;

  constructor(ports: ChatPorts) {
    this.#ports = ports;
  }

  /** A line that the page before a reload wrote. */
  restored(id: string, text: string, to: Recipients, done: Promise<number>): void {
    this.#show(id, text, to);
    this.#watch(id, done);
  }

  apply(logged: Logged): void {
    this.state.value = applyToChat(this.state.value, logged);
  }

  page({ lines, more }: Extract<ServerFrame, { type: 'chat_page' }>): void {
    this.state.value = addPage(this.state.value, lines, more);
    this.loadingOlder.value = false;
  }

  say(text: string, to: Recipients, id: string = uuidv7()): void {
    this.#show(id, text, to);
    this.#watch(id, this.#ports.pending.submit({ type: 'say', text, to }, id));
  }

  /** Sends a refused line again, as a new command. */
  retry(key: string): void {
    const line = this.state.value.pending.find((each) => each.key === key);
    this.discard(key);
    if (line?.text) this.say(line.text, line.to);
  }

  discard(key: string): void {
    this.#ports.pending.forget(key);
    this.state.value = dropPending(this.state.value, key);
  }

  /** Reads the last page anew; pending lines stay. */
  reload(): void {
    this.state.value = { ...this.state.value, lines: [] };
    this.#pull(null);
  }

  loadOlder(): void {
    const oldest = this.state.value.lines[0]?.number;
    if (oldest !== undefined && !this.loadingOlder.value) this.#pull(oldest);
  }

  #pull(before: number | null): void {
    this.loadingOlder.value = true;
    this.#pulls += 1;
    this.#ports.send({ type: 'pull', request: this.#pulls, pull: { type: 'chat', before } });
  }

  #watch(id: string, done: Promise<number>): void {
    done.catch((error: unknown) => {
      if (error instanceof Refused) this.state.value = markPending(this.state.value, id, 'failed', error.code);
    });
  }

  #show(key: string, text: string, to: Recipients): void {
    const { user, now } = this.#ports.author();
    this.state.value = addPending(this.state.value, { key, user, to, text, at: now });
  }
}
