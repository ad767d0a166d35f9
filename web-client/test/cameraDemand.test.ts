import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WantedVideo } from '../src/protocol/generated.ts';
import { CameraDemand } from '../src/ui/screens/lesson/cameraDemand.ts';

let told: readonly WantedVideo[];
let demand: CameraDemand;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  demand = new CameraDemand((cameras) => {
    told = cameras;
  });
});
afterEach(() => {
  demand.stop();
  vi.useRealTimers();
});

const camera = (width: number) => ({ user: 'teacher', width, height: (width * 9) / 16 });

test('a face that moves from the stage to the row is still asked for, whichever place is told first', () => {
  const [stage, row] = [{}, {}];
  demand.set(stage, camera(1280));
  demand.set(row, camera(160));
  demand.drop(stage);
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([camera(160)]);
  demand.drop(row);
  demand.set(stage, camera(1280));
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([camera(1280)]);
});

test('a face in two places is asked for once, in the larger size', () => {
  demand.set({}, camera(1280));
  demand.set({}, camera(160));
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([camera(1280)]);
});
