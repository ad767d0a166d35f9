import { signal } from '@preact/signals';

/** What the polite live region says (chat lines, people coming in). */
export const politeText = signal('');
/** What the assertive live region says (the floor, removal, the connection). */
export const urgentText = signal('');

/** Says something when the reader pauses. */
export function announce(text: string) {
  politeText.value = differently(politeText.value, text);
}

/** Says something at once. */
export function announceNow(text: string) {
  urgentText.value = differently(urgentText.value, text);
}

/** The same words twice are read twice only when the text differs. */
function differently(before: string, text: string): string {
  return before === text ? `${text}\u00a0` : text;
}
