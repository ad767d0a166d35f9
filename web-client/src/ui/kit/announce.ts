import { type Signal, signal } from '@preact/signals';

/** A sentence that readers of the screen hear. */
export interface Saying {
  key: number;
  text: string;
}

/** What the polite live region says (hands). */
export const politeSayings: Signal<readonly Saying[]> = signal([]);
/** What the assertive live region says (the floor, removal, the connection). */
export const urgentSayings: Signal<readonly Saying[]> = signal([]);

/** Readers have taken a sentence over at once; one that stayed would be found later as if it still held. */
const GONE_MS = 6_000;
/** More at once nobody hears to the end: the oldest go. */
const AT_ONCE = 8;
let count = 0;

/** Says something when the reader pauses. */
export function announce(text: string) {
  say(politeSayings, text);
}

/** Says something at once. */
export function announceNow(text: string) {
  say(urgentSayings, text);
}

function say(sayings: Signal<readonly Saying[]>, text: string) {
  count += 1;
  const saying = { key: count, text };
  sayings.value = [...sayings.value, saying].slice(-AT_ONCE);
  setTimeout(() => {
    sayings.value = sayings.value.filter((each) => each !== saying);
  }, GONE_MS);
}
