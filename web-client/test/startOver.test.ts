import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { started, startOver } from '../src/app/startOver.ts';

const reload = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('location', { reload });
});
afterEach(() => {
  started();
  reload.mockClear();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** What a request for the page finds, one after the other. */
function site(...given: ('away' | 'there')[]) {
  vi.stubGlobal('fetch', async () => {
    if (given.shift() === 'there') return new Response('');
    throw new TypeError('no network');
  });
}

test('the page is loaded anew once the site is there, not before; who comes back without the part waits longer', async () => {
  site('away', 'there');
  void startOver();
  void startOver();
  await vi.advanceTimersByTimeAsync(300);
  expect(reload).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(600);
  expect(reload).toHaveBeenCalledTimes(1);
  expect(sessionStorage.getItem('qism.startedOver')).toBe('2');
  started();
  expect(sessionStorage.getItem('qism.startedOver')).toBeNull();
});
