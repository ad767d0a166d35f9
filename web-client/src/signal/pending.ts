import type { Command, ErrorCode } from '../protocol/generated.ts';
import { uuidv7 } from './ids.ts';
import type { Memory } from './memory.ts';

/** Thrown by a command that the server refused for good. */
export class Refused extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode) {
    super(code);
    this.code = code;
  }
}

/** A command on its way, with the id that makes sending it twice harmless. */
export interface PendingCommand {
  readonly id: string;
  readonly command: Command;
}

interface Waiting extends PendingCommand {
  resolve: (number: number) => void;
  reject: (error: Refused) => void;
}

/** Refusals that only mean *later*. */
const LATER: ReadonlySet<ErrorCode> = new Set(['busy', 'unavailable', 'too_fast', 'superseded']);
/** What must not be lost with the page; everything else is moot after a reload. */
const KEPT: ReadonlySet<Command['type']> = new Set(['say', 'report']);

/** The first wait where the server names none. */
const PAUSE_MS = 1_000;

/**
 * Commands not yet acknowledged. They survive cuts (sent again after each welcome, with the same id) and, for chat lines
 * and reports, a reload.
 */
export class PendingCommands {
  readonly #waiting = new Map<string, Waiting>();
  readonly #key: string;
  readonly #memory: Memory;
  readonly #send: (pending: PendingCommand) => void;
  /** What goes out when the pause ends: refused as *later*, and lines written meanwhile, which must not overtake. */
  readonly #held = new Set<string>();
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(key: string, memory: Memory, send: (pending: PendingCommand) => void) {
    this.#key = `qism.pending.${key}`;
    this.#memory = memory;
    this.#send = send;
  }

  /** Chat lines and reports that the page before this one had not been told about; `resend` sends them. */
  restore(): (PendingCommand & { done: Promise<number> })[] {
    return this.#kept().map(({ id, command }) => ({ id, command, done: this.#add(id, command) }));
  }

  #kept(): PendingCommand[] {
    try {
      return JSON.parse(this.#memory.recall(this.#key) ?? '[]') as PendingCommand[];
    } catch {
      return [];
    }
  }

  /** Sends a command; resolves with its event number once it is in the log. */
  submit(command: Command, id: string = uuidv7()): Promise<number> {
    const done = this.#add(id, command);
    if (this.#pause !== undefined && KEPT.has(command.type)) this.#held.add(id);
    else this.#send({ id, command });
    return done;
  }

  #add(id: string, command: Command): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { id, command, resolve, reject });
      this.#save();
    });
  }

  /** After a welcome: everything unacknowledged goes out again, in its order. */
  resend(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#held.clear();
    for (const { id, command } of this.#waiting.values()) this.#send({ id, command });
  }

  accepted(id: string, number: number): void {
    this.#settle(id)?.resolve(number);
  }

  /** A refusal; one that means *later* is sent again when told, or after the next welcome. */
  refused(id: string, error: ErrorCode, retryAfterMs: number | undefined): void {
    if (!LATER.has(error)) {
      this.#settle(id)?.reject(new Refused(error));
      return;
    }
    this.#held.add(id);
    this.#pause ??= setTimeout(() => this.#resume(), retryAfterMs ?? PAUSE_MS);
  }

  #resume(): void {
    this.#pause = undefined;
    const due = [...this.#waiting.values()].filter(({ id }) => this.#held.has(id));
    this.#held.clear();
    for (const { id, command } of due) this.#send({ id, command });
  }

  /** Gives up one command (a line its writer discards). */
  forget(id: string): void {
    this.#settle(id);
  }

  #settle(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#save();
    return waiting;
  }

  #save(): void {
    const kept = [...this.#waiting.values()].filter(({ command }) => KEPT.has(command.type));
    const text = JSON.stringify(kept.map(({ id, command }) => ({ id, command })));
    this.#memory.remember(this.#key, kept.length === 0 ? null : text);
  }
}
