import type { SchoolPerson } from '../../../school/api.ts';

/** Arabic letters that are written either way, marks, and the accents of French, count as nothing. */
function folded(text: string): string {
  return text
    .normalize('NFD')
    .replace(/[\u0300-\u036f\u064b-\u0655\u0640]/g, '')
    .replace(/ٱ/g, 'ا')
    .replace(/ى/g, 'ي')
    .replace(/ة/g, 'ه')
    .toLowerCase();
}

/** Those in whose names, classes or sign-in names every word of a search begins a word. */
export function matching(people: readonly SchoolPerson[], wanted: string): SchoolPerson[] {
  const words = folded(wanted).split(/\s+/).filter(Boolean);
  return people.filter((person) => {
    const { arabic, latin } = person.name;
    const spellings = [arabic, latin].flatMap((it) => (it ? [it.given, it.family] : []));
    const own = folded([...spellings, ...person.groups, person.login].join(' ')).split(/\s+/);
    return words.every((word) => own.some((part) => part.startsWith(word)));
  });
}
