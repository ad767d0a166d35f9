import { expect, test } from 'vitest';
import { fullName, numberNamesakes } from '../src/ui/kit/names.ts';

const meryem = { arabic: { given: 'مريم', family: 'بنعلي' }, latin: { given: 'Meryem', family: 'Benali' } };
const salma = { arabic: { given: 'سلمى', family: 'العلوي' }, latin: null };

test('namesakes are told apart by the same number on every screen, whoever came first', () => {
  const [b, s, a] = numberNamesakes([
    { user: 'b', name: meryem },
    { user: 's', name: salma },
    { user: 'a', name: meryem },
  ]);
  expect(fullName(a?.name, 'ar')).toBe('مريم بنعلي (1)');
  expect(fullName(b?.name, 'ar')).toBe('مريم بنعلي (2)');
  expect(fullName(b?.name, 'fr')).toBe('Meryem Benali (2)');
  expect(fullName(s?.name, 'ar')).toBe('سلمى العلوي');
});

test('people without a name are nobody’s namesakes', () => {
  expect(
    numberNamesakes([
      { user: 'a', name: undefined },
      { user: 'b', name: undefined },
    ]),
  ).toHaveLength(2);
});
