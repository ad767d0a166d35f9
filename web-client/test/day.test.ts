import { afterEach, expect, test, vi } from 'vitest';
import { day, forgetDay, openLessonNow, refreshDay } from '../src/app/day.ts';

const answer = (status: number, body: unknown) => vi.fn(async () => new Response(JSON.stringify(body), { status }));
const today = { now: Date.now(), lessons: [], groups: [] };

afterEach(() => {
  vi.unstubAllGlobals();
  forgetDay();
});

test('a site that cannot work now is not taken for a broken network', async () => {
  vi.stubGlobal('fetch', answer(503, { error: 'unavailable' }));
  await refreshDay();
  expect(day.value.outage).toBe('unavailable');
  expect(await openLessonNow('1APIC-1', undefined)).toEqual({ problem: 'unavailable' });

  const cut = vi.fn(() => Promise.reject(new TypeError('Failed to fetch')));
  vi.stubGlobal('fetch', cut);
  await refreshDay();
  expect(day.value.outage).toBe('unreachable');
  expect(await openLessonNow('1APIC-1', undefined)).toEqual({ problem: 'unreachable' });
});

test('what came before stays through an outage, which ends with the next answer', async () => {
  vi.stubGlobal('fetch', answer(200, today));
  await refreshDay();
  vi.stubGlobal('fetch', answer(503, {}));
  await refreshDay();
  expect(day.value).toMatchObject({ today, outage: 'unavailable' });
  vi.stubGlobal('fetch', answer(200, today));
  await refreshDay();
  expect(day.value.outage).toBeUndefined();
});

test('a class that is not the teacher’s own is neither', async () => {
  vi.stubGlobal('fetch', answer(403, { error: 'not_allowed' }));
  expect(await openLessonNow('2APIC-1', undefined)).toEqual({ problem: 'not_taught' });
});
