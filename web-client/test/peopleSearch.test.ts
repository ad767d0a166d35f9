import { expect, test } from 'vitest';
import type { SchoolPerson } from '../src/school/api.ts';
import { matching } from '../src/ui/screens/people/search.ts';

const person = (login: string, given: string, family: string, latin: string, group: string): SchoolPerson => ({
  user: login,
  login,
  roles: ['student'],
  groups: [group],
  name: { arabic: { given, family }, latin: { given: latin, family: 'El Idrissi' } },
});

test('people are found by any spelling of a name, by class and by sign-in name', () => {
  const all = [
    person('student1', 'أسماء', 'الإدريسي', 'Éliza', '2APIC-1'),
    person('student12', 'فاطمة', 'بناني', 'Fatima', '2APIC-2'),
  ];
  const found = (wanted: string) => matching(all, wanted).map((it) => it.login);
  expect(found('اسماء')).toEqual(['student1']);
  expect(found('eliza')).toEqual(['student1']);
  expect(found('فاطمه بناني')).toEqual(['student12']);
  expect(found('2apic-2')).toEqual(['student12']);
  expect(found('student1')).toEqual(['student1', 'student12']);
  expect(found('student12 eliza')).toEqual([]);
});
