import { expect, test } from 'vitest';
import { Talk } from '../src/media/talk.ts';

/** The looks at which talk is told of. */
function told(levels: readonly number[]): number[] {
  const talk = new Talk();
  return levels.flatMap((level, look) => (talk.hear(level) ? [look] : []));
}

const for_ = (looks: number, level: number) => Array<number>(looks).fill(level);

test('who talks is told once', () => {
  expect(told([...for_(30, 0.2), ...for_(100, 0.7)])).toEqual([41]);
});

test('words with pauses between them are talk', () => {
  const word = [...for_(5, 0.7), ...for_(2, 0.1)];
  expect(told([...word, ...word, ...word, ...word])).toHaveLength(1);
});

test('a cough and a loud room are none', () => {
  expect(told([...for_(8, 1), ...for_(50, 0.1), ...for_(8, 1), ...for_(100, 0.45)])).toEqual([]);
});
