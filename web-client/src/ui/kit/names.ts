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

/** Tells people of one name apart by a number behind it, the same on every screen: in the order of their ids. */
export function numberNamesakes<Named extends { user: string; name: Name | undefined }>(people: Named[]): Named[] {
  const byName = new Map<string, string[]>();
  for (const { user, name } of people) {
    const key = JSON.stringify([name?.arabic, name?.latin]);
    byName.set(key, [...(byName.get(key) ?? []), user].sort());
  }
  return people.map((person) => {
    const { user, name } = person;
    const same = name ? (byName.get(JSON.stringify([name.arabic, name.latin])) ?? []) : [];
    return name && same.length > 1 ? { ...person, name: numbered(name, same.indexOf(user) + 1) } : person;
  });
}

function numbered(name: Name, number: number): Name {
  const spelling = (own: Spelling | null) => own && { ...own, family: `${own.family} (${number})` };
  return { arabic: spelling(name.arabic), latin: spelling(name.latin) };
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
