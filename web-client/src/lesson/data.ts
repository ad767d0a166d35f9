import { type Signal, signal } from '@preact/signals';
import type { ClientFrame, Pictures, ServerFrame } from '../protocol/generated.ts';

/** What this lesson has cost in data, as the server counts it: over reloads and all connections. */
export interface DataUsed {
  bytes: number;
  /** What it may cost; `null` = any number. */
  budget: number | null;
  pictures: Pictures;
}

/** The account of one attended lesson, and the wish how much it may grow. */
export class LessonData {
  readonly used: Signal<DataUsed>;
  readonly #send: (frame: ClientFrame) => void;
  #budget: number | null;

  constructor(send: (frame: ClientFrame) => void, budget: number | null) {
    this.#send = send;
    this.#budget = budget;
    this.used = signal({ bytes: 0, budget, pictures: 'full' });
  }

  /** Every welcome: the server may know nothing of this device's wish. */
  welcomed(): void {
    this.#tell();
  }

  told({ bytes, budget, pictures }: Extract<ServerFrame, { type: 'data_used' }>): void {
    // A server that has yet to read what was used elsewhere knows less.
    this.used.value = { bytes: Math.max(bytes, this.used.value.bytes), budget, pictures };
  }

  setBudget(bytes: number | null): void {
    this.#budget = bytes;
    this.used.value = { ...this.used.value, budget: bytes };
    this.#tell();
  }

  #tell(): void {
    const { bytes: used } = this.used.value;
    this.#send({ type: 'set_budget', bytes: this.#budget, ...(used > 0 && { used }) });
  }
}
