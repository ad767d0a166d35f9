import type { SchoolPerson } from '../../../school/api.ts';
import { folded } from '../../kit/folded.ts';

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
