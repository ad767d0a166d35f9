import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { nameWhatPlays, stayAwake } from '../src/media/awake.ts';

interface Lock {
  released: boolean;
  release(): Promise<void>;
}

let locks: Lock[];
let answer: () => void;
let hidden: boolean;

/** A browser that gives a lock when the test says so, and takes it back from a hidden page. */
beforeEach(() => {
  locks = [];
  hidden = false;
  const request = () =>
    new Promise<Lock>((done) => {
      answer = () => {
        const lock: Lock = {
          released: false,
          release: async () => {
            lock.released = true;
          },
        };
        locks.push(lock);
        done(lock);
      };
    });
  vi.stubGlobal('navigator', { wakeLock: { request: vi.fn(request) }, mediaSession: {} });
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const settled = () => new Promise((done) => setTimeout(done));
const held = () => locks.filter((lock) => !lock.released).length;

function turn(toHidden: boolean) {
  hidden = toHidden;
  if (toHidden) for (const lock of locks) lock.released = true;
  document.dispatchEvent(new Event('visibilitychange'));
}

describe('the screen', () => {
  test('stays on, and again after the page was hidden', async () => {
    const stop = stayAwake();
    answer();
    await settled();
    expect(held()).toBe(1);
    turn(true);
    expect(held()).toBe(0);
    turn(false);
    answer();
    await settled();
    expect(held()).toBe(1);
    stop();
    expect(held()).toBe(0);
  });

  test('is not kept on by a lock that comes after the lesson', async () => {
    const stop = stayAwake();
    stop();
    answer();
    await settled();
    expect(held()).toBe(0);
  });

  test('is asked for once while the lock holds', async () => {
    const stop = stayAwake();
    answer();
    await settled();
    turn(false);
    expect(navigator.wakeLock.request).toHaveBeenCalledOnce();
    stop();
  });
});

test('the lock screen names what plays, until it is over', () => {
  vi.stubGlobal(
    'MediaMetadata',
    class {
      constructor(init: object) {
        Object.assign(this, init);
      }
    },
  );
  const stop = nameWhatPlays('الرياضيات', '2APIC-1');
  expect(navigator.mediaSession).toMatchObject({
    metadata: { title: 'الرياضيات', artist: '2APIC-1' },
    playbackState: 'playing',
  });
  stop();
  expect(navigator.mediaSession).toMatchObject({ metadata: null, playbackState: 'none' });
});
