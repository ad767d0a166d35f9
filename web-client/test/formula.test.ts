import { describe, expect, test } from 'vitest';
import { linkify } from '../src/ui/screens/lesson/linkify.ts';

const formulas = (line: string) => linkify(line).flatMap((piece) => ('formula' in piece ? [piece.text] : []));
const whole = (line: string) =>
  linkify(line)
    .map(({ text }) => text)
    .join('');

describe('formulas in an Arabic line', () => {
  test.each([
    ['الحل هو 2 + 3 = 5', ['2 + 3 = 5']],
    ['نعم: 3x + 5 = 20 ⇒ x = 5، راجع', ['3x + 5 = 20 ⇒ x = 5']],
    ['إذا كان (a + b)² = 9 فإن a + b = 3 أو a + b = -3.', ['(a + b)² = 9', 'a + b = 3', 'a + b = -3']],
    ['الجواب (x = 5) صحيح', ['(x = 5)']],
    ['الجواب (x = 5 أو x = -5)', ['x = 5', 'x = -5']],
    ['النتيجة -3 + x', ['-3 + x']],
    ['الكسر 3/4 أكبر من 1/2', ['3/4', '1/2']],
    ['احسبوا √16 و π×2', ['√16', 'π×2']],
  ])('%s', (line, expected) => {
    expect(formulas(line)).toEqual(expected);
    expect(whole(line)).toBe(line);
  });

  test.each(['افتحوا الصفحة 42', 'الصفحات 12 - 15', 'Bonjour يا أستاذ', 'القسم 2APIC-1', '2 + 3 = 5', 'voir x = 5'])(
    'leaves alone: %s',
    (line) => {
      expect(formulas(line)).toEqual([]);
      expect(whole(line)).toBe(line);
    },
  );

  test('an address stays a link', () => {
    expect(linkify('راجع https://example.org/a=b')).toEqual([
      { text: 'راجع ' },
      { text: 'https://example.org/a=b', href: 'https://example.org/a=b' },
    ]);
  });
});
