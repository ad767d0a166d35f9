import { describe, expect, it } from 'vitest';
import { LOOK_MS, Silence } from '../src/media/silence.ts';

interface Course {
  expects?: (look: number) => boolean;
  /** Milliseconds from look to look. */
  every?: (look: number) => number;
}

/** Looks at what came since the last look. Yields the looks that told of silence. */
function tells(came: readonly number[], { expects = () => true, every = () => LOOK_MS }: Course = {}): number[] {
  const silence = new Silence();
  let [now, received] = [10_000, 0];
  return came.flatMap((bytes, look) => {
    now += every(look);
    received += bytes;
    return silence.look({ now, received, expects: expects(look) }) ? [look] : [];
  });
}

const nothing = (looks: number) => Array<number>(looks).fill(0);
const voice = (looks: number) => Array<number>(looks).fill(5_000);

describe('a connection that falls silent', () => {
  it('is told of once, two seconds after a voice', () => {
    expect(tells([...voice(10), ...nothing(20)])).toEqual([11]);
  });

  it('is told of again when it was heard in between', () => {
    expect(tells([...voice(10), ...nothing(5), ...voice(20), ...nothing(5)])).toEqual([11, 36]);
  });

  it('may be silent before anything came, and where nothing is to come', () => {
    expect(tells(nothing(30))).toEqual([]);
    expect(tells([...voice(10), ...nothing(20)], { expects: (look) => look < 10 })).toEqual([]);
  });

  it('may pause for as long as it usually does, and half of the reports on nothing may be lost', () => {
    const reports = [100, 0, 100, 0, 0, 100, 0, 100, 100, 0, 0, 0, 100];
    expect(tells([...voice(3), 0, ...reports, ...reports])).toEqual([]);
  });

  it('is not known from a device that slept', () => {
    expect(
      tells([...voice(10), ...nothing(2), ...voice(3)], { every: (look) => (look === 10 ? 60_000 : LOOK_MS) }),
    ).toEqual([]);
  });
});
