import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { account, openAccount, recallAccount, recallNow } from '../src/app/account.ts';

const me = { user: 'a', login: 'student1', roles: [] };
/** What the site answers to one request after the other. */
function answers(...given: (() => Response)[]): void {
  vi.stubGlobal('fetch', async () => (given.shift() ?? silence)());
}
const silence = (): Response => {
  throw new TypeError('no network');
};
const yes = () => Response.json(me);
const fault = () => new Response('', { status: 503 });

beforeEach(() => {
  vi.useFakeTimers();
  account.value = { kind: 'unknown', outage: undefined };
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test('who reloads while the site is away is signed in as soon as it is back', async () => {
  answers(silence, fault, yes);
  void recallAccount();
  await vi.advanceTimersByTimeAsync(0);
  expect(account.value).toEqual({ kind: 'unknown', outage: 'unreachable' });
  await vi.advanceTimersByTimeAsync(300);
  expect(account.value).toEqual({ kind: 'unknown', outage: 'unavailable' });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(account.value).toEqual({ kind: 'in', me });
});

test('the network that comes back, or a tap, does not sit out the wait', async () => {
  for (const hurry of [recallNow, () => dispatchEvent(new Event('online'))]) {
    account.value = { kind: 'unknown', outage: undefined };
    answers(silence, yes);
    void recallAccount();
    await vi.advanceTimersByTimeAsync(0);
    hurry();
    await vi.advanceTimersByTimeAsync(0);
    expect(account.value.kind).toBe('in');
  }
});

test('who is not signed in is asked to sign in', async () => {
  answers(() => Response.json({ error: 'signed_out' }, { status: 401 }));
  await recallAccount();
  expect(account.value).toEqual({ kind: 'out', problem: undefined, busy: false });
});

test('a site at fault is not called the internet', async () => {
  answers(fault);
  await openAccount('student1', 'x');
  expect(account.value).toMatchObject({ kind: 'out', problem: { code: 'unavailable' } });
});

test('a browser that keeps no cookies is told so, before anything is asked', async () => {
  answers(yes);
  vi.spyOn(document, 'cookie', 'get').mockReturnValue('');
  await openAccount('student1', 'qism-demo');
  expect(account.value).toEqual({ kind: 'out', problem: { code: 'no_cookies' }, busy: false });
});
