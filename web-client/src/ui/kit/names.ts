import type { Localized, Name, Spelling } from '../../protocol/generated.ts';

/** The name in the reader's script, in the other one where it is missing. */
export function fullName(name: Name | undefined, lang: string): string {
  const spelling = spellingFor(name, lang);
  return spelling ? `${spelling.given} ${spelling.family}`.trim() : '';
}

/** The given name alone, for a greeting. */
export function givenName(name: Name | undefined, lang: string): string {
  const spelling = spellingFor(name, lang);
  return spelling ? spelling.given || spelling.family : '';
}

/** One or two letters; Arabic ones are kept apart, since joined they would read as a word. */
export function initials(name: Name | undefined, lang: string): string {
  const spelling = spellingFor(name, lang);
  if (!spelling) return '؟';
  const letters = [spelling.given, spelling.family].map((part) => [...part.trim()][0] ?? '').filter(Boolean);
  const arabic = letters.some((letter) => /\p{Script=Arabic}/u.test(letter));
  return letters.join(arabic ? '\u200c\u2009' : '').toUpperCase();
}

/** Keeps a name whole inside a sentence of the other direction (Unicode first strong isolate). */
export function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

/** A text of the school in the page's language. */
export function localized(text: Localized, lang: string): string {
  const own = text[lang as keyof Localized];
  return own || text.fr || text.ar || text.en;
}

function spellingFor(name: Name | undefined, lang: string): Spelling | undefined {
  const [first, second] = lang === 'ar' ? [name?.arabic, name?.latin] : [name?.latin, name?.arabic];
  return first ?? second ?? undefined;
}
