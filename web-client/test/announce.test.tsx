import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { announce, announceNow } from '../src/ui/kit/announce.ts';
import { LiveRegions } from '../src/ui/kit/LiveRegions.tsx';

let root: HTMLElement;

beforeEach(async () => {
  vi.useFakeTimers();
  root = document.createElement('div');
  document.body.append(root);
  await act(() => render(<LiveRegions />, root));
});

afterEach(async () => {
  await act(() => void vi.runAllTimers());
  render(null, root);
  root.remove();
  vi.useRealTimers();
});

const said = (live: string) => [...root.querySelectorAll(`[aria-live=${live}] p`)].map((line) => line.textContent);

test('two hands in one moment are both said, and the same words twice are two lines', async () => {
  await act(() => {
    announce('سلمى');
    announce('ياسين');
    announce('سلمى');
  });
  expect(said('polite')).toEqual(['سلمى', 'ياسين', 'سلمى']);
});

test('what was said does not stay behind for a reader who looks later', async () => {
  await act(() => announceNow('weak network'));
  expect(said('assertive')).toEqual(['weak network']);
  await act(() => void vi.advanceTimersByTime(10_000));
  expect(said('assertive')).toEqual([]);
});

test('a flood of sentences is cut at its beginning', async () => {
  await act(() => {
    for (let line = 1; line <= 20; line++) announce(String(line));
  });
  expect(said('polite')).toEqual(['13', '14', '15', '16', '17', '18', '19', '20']);
});
