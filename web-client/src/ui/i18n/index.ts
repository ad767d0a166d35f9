/**
 * The words of the page. `t` reads a signal: every text on screen follows a switch of the language at once, without a
 * reload, and whatever is being written or sent stays as it is.
 */
import { signal } from '@preact/signals';
import { browserMemory } from '../../signal/memory.ts';
import type { Messages } from './compiled/keys.ts';
import { languages } from './compiled/languages.ts';
import { type Compiled, type Formats, formatsOf } from './message.ts';

/** A key of the message files. */
export type MessageKey = keyof Messages;
type Arguments<Key extends MessageKey> = Messages[Key] extends undefined ? [] : [values: Messages[Key]];

interface Words {
  code: string;
  locale: string;
  messages: Compiled;
  formats: Formats;
}

const memory = 'qism.language';
const fallback = 'ar';
const words = signal<Words>({ code: fallback, locale: 'ar-MA', messages: {}, formats: formatsOf('ar-MA') });

/** The languages by code, each named in its own script. */
export const languageNames: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(languages).map(([code, language]) => [code, language.name]),
);

/** The language of the page now. */
export const language = {
  get value(): string {
    return words.value.code;
  },
};

/** A text of the page. */
export function t<Key extends MessageKey>(key: Key, ...values: Arguments<Key>): string {
  const { messages, formats } = words.value;
  const message = messages[key];
  if (message === undefined) return key;
  return typeof message === 'string' ? message : message(formats, values[0] ?? {});
}

/** Switches the language of the page and remembers it, also where its words do not come now, which rejects. */
export async function setLanguage(code: string): Promise<void> {
  const chosen = languages[code];
  if (!chosen) return;
  browserMemory.remember(memory, code);
  const { default: messages } = await chosen.load();
  words.value = { code, locale: chosen.locale, messages, formats: formatsOf(chosen.locale) };
  document.documentElement.lang = code;
  document.documentElement.dir = chosen.dir;
}

/** The remembered language, else the browser's, else Arabic. Awaited before the first drawing. */
export function startLanguage(): Promise<void> {
  const wished = [browserMemory.recall(memory), ...navigator.languages.map((tag) => tag.slice(0, 2)), fallback];
  return setLanguage(wished.find((code) => code !== null && code in languages) ?? fallback);
}

/** A number with the language's separators. */
export function formatNumber(value: number, options?: Intl.NumberFormatOptions): string {
  return new Intl.NumberFormat(words.value.locale, options).format(value);
}

/** Hours and minutes. */
export function formatTime(ms: number): string {
  return format(ms, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

/** Weekday, day and month. */
export function formatDate(ms: number): string {
  return format(ms, { weekday: 'long', day: 'numeric', month: 'long' });
}

/** Day and time, short. */
export function formatDateTime(ms: number): string {
  return format(ms, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
}

function format(ms: number, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(words.value.locale, options).format(ms);
}
