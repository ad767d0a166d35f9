/**
 * What is remembered of one kind. A storage that is full or forbidden keeps nobody out of a lesson: what it does not take is remembered for as
 * long as the page lives.
 */
export class Memory {
  readonly #storage: () => Storage;
  readonly #untaken = new Map<string, string | null>();

  /** Some browsers throw where a page only asks for a storage that it may not have. */
  constructor(storage: () => Storage) {
    this.#storage = storage;
  }

  recall(key: string): string | null {
    const untaken = this.#untaken.get(key);
    if (untaken !== undefined) return untaken;
    try {
      return this.#storage().getItem(key);
    } catch {
      return null;
    }
  }

  /** `null` forgets. */
  remember(key: string, value: string | null): void {
    try {
      if (value === null) this.#storage().removeItem(key);
      else this.#storage().setItem(key, value);
      this.#untaken.delete(key);
    } catch {
      this.#untaken.set(key, value);
    }
  }
}

/** Kept over a reload, for this tab alone. */
export const tabMemory = new Memory(() => sessionStorage);
/** Kept by this browser, for all that use it. */
export const browserMemory = new Memory(() => localStorage);
