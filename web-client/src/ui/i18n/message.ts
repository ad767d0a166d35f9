/** What compiled messages call: the formats of their language. */
export interface Formats {
  number(value: string | number): string;
  plural(value: string | number, options: Record<string, () => string>): string;
  select(value: string | number, options: Record<string, () => string>): string;
}

/** One message: a text, or a function of its arguments. */
export type Message = string | ((formats: Formats, values: Record<string, string | number>) => string);

/** All messages of one language. */
export type Compiled = Readonly<Record<string, Message>>;

/** A language as the switch offers it. */
export interface Language {
  /** In its own script. */
  name: string;
  dir: string;
  /** For numbers and dates: Morocco's month names differ from other Arabic ones. */
  locale: string;
  load: () => Promise<{ default: Compiled }>;
}

/** Formats by the browser's own tables. */
export function formatsOf(locale: string): Formats {
  const numbers = new Intl.NumberFormat(locale);
  const rules = new Intl.PluralRules(locale);
  const pick = (options: Record<string, () => string>, key: string) => (options[key] ?? options.other)?.() ?? '';
  return {
    number: (value) => (typeof value === 'number' ? numbers.format(value) : value),
    plural: (value, options) => options[`=${value}`]?.() ?? pick(options, rules.select(Number(value))),
    select: (value, options) => pick(options, String(value)),
  };
}
