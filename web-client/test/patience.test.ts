import { expect, it } from 'vitest';
import { PATIENT_MS, Patience } from '../src/media/patience.ts';

/** The waits after looks between which so many of 34 packets were lost. */
function waits(losses: readonly number[]): (number | null)[] {
  const patience = new Patience();
  let [received, lost] = [0, 0];
  return losses.map((gone) => {
    received += 34 - gone;
    lost += gone;
    return patience.look(received, lost);
  });
}

it('waits for voices at the first look at losses, and no more after half a minute without', () => {
  expect(waits([0, 7])).toEqual([null, PATIENT_MS]);
  const after = waits([7, ...Array<number>(20).fill(0)]);
  expect(after.lastIndexOf(PATIENT_MS)).toBe(14);
  expect(after.at(-1)).toBeNull();
});

it('a lost packet now and then is none, and no calm either', () => {
  expect(waits([1, 0, 1, 1])).toEqual([null, null, null, null]);
  expect(waits([7, ...Array<number>(40).fill(1)]).at(-1)).toBe(PATIENT_MS);
});

it('silence is no calm', () => {
  const patience = new Patience();
  patience.look(27, 7);
  for (let look = 0; look < 40; look++) expect(patience.look(27, 7)).toBe(PATIENT_MS);
});
