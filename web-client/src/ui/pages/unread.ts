import { computed, effect, signal } from '@preact/signals';
import type { LessonSession } from '../../lesson/session.ts';

/** Counts the lines that came while the chat was not on screen. What was there on entry counts as read. */
export class Unread {
  readonly #read = signal<number | undefined>(undefined);
  readonly #visible = signal(false);
  readonly count;
  readonly stop: () => void;

  constructor(session: LessonSession) {
    this.count = computed(() => {
      const read = this.#read.value;
      if (read === undefined || this.#visible.value) return 0;
      const me = session.self.value?.user;
      return session.chat.state.value.lines.filter((line) => (line.number ?? 0) > read && line.user !== me).length;
    });
    this.stop = effect(() => {
      const last = session.chat.state.value.lines.at(-1)?.number;
      const entered = session.state.value !== undefined && !session.chat.loadingOlder.value;
      if (this.#visible.value && last !== undefined) this.#read.value = last;
      else if (this.#read.peek() === undefined && entered) this.#read.value = last ?? 0;
    });
  }

  setVisible(visible: boolean): void {
    this.#visible.value = visible;
  }
}
