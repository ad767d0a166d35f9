import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { t } from '../src/ui/i18n/index.ts';
import { ChatComposer } from '../src/ui/screens/lesson/ChatComposer.tsx';
import type { LessonActions, LessonView } from '../src/ui/screens/lesson/view.ts';

let root: HTMLElement;
const say = vi.fn();
const actions = { say } as unknown as LessonActions;

/** A student in slow mode of ten seconds, whose last line was written then. */
function student(lesson: string, user: string, at?: number): LessonView {
  const mine = { key: '1', number: 1, author: undefined, mine: true, toTeachers: false, text: 'x', at: at ?? 0 };
  return {
    info: { lesson },
    me: { user },
    phase: 'open',
    chatMode: 'open',
    slowModeS: 10,
    clockOffsetMs: 0,
    rights: { leads: false, writes: true },
    chat: { items: at === undefined ? [] : [{ ...mine, state: 'sent' }] },
  } as unknown as LessonView;
}

const draw = (view: LessonView) => act(() => render(<ChatComposer view={view} actions={actions} />, root));
const area = () => root.querySelector('textarea') as HTMLTextAreaElement;
const button = () => root.querySelector('button[type=submit]') as HTMLButtonElement;
const type = (text: string) =>
  act(() => {
    area().value = text;
    area().dispatchEvent(new Event('input', { bubbles: true }));
  });

beforeEach(() => {
  vi.useFakeTimers();
  say.mockClear();
  root = document.createElement('div');
  document.body.append(root);
});
afterEach(() => {
  render(null, root);
  root.remove();
  vi.useRealTimers();
});

test('in slow mode the next line waits in its box, with the seconds, and is not lost', async () => {
  await draw(student('l1', 'a', Date.now()));
  await type('second');
  expect(button().disabled).toBe(true);
  expect(root.textContent).toContain(t('chat.slowWait', { seconds: 10 }));
  area().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  expect(say).not.toHaveBeenCalled();
  expect(area().value).toBe('second');
  await act(() => void vi.advanceTimersByTime(11_000));
  expect(button().disabled).toBe(false);
  await act(() => button().click());
  expect(say).toHaveBeenCalledWith('second', 'everyone');
});

test('a half-written line is not found by the next account, nor in the next lesson', async () => {
  await draw(student('l1', 'a'));
  await type('a secret');
  await draw(student('l1', 'a'));
  expect(area().value).toBe('a secret');
  await draw(student('l1', 'b'));
  expect(area().value).toBe('');
  await type('another');
  await draw(student('l2', 'b'));
  expect(area().value).toBe('');
});

test('a half-written line survives a reload of the page', async () => {
  await draw(student('l3', 'c'));
  await type('half a');
  render(null, root);
  vi.resetModules();
  const after = await import('../src/ui/screens/lesson/ChatComposer.tsx');
  await act(() => render(<after.ChatComposer view={student('l3', 'c')} actions={actions} />, root));
  expect(area().value).toBe('half a');
});

test('a pasted picture is refused in words', async () => {
  await draw(student('l4', 'd'));
  const paste = new Event('paste', { bubbles: true });
  Object.assign(paste, { clipboardData: { files: [new File([], 'x.png')], getData: () => '' } });
  await act(() => void area().dispatchEvent(paste));
  expect(root.textContent).toContain(t('chat.textOnly'));
  await type('words');
  expect(root.textContent).not.toContain(t('chat.textOnly'));
});

test('a line in which there is nothing to see is not sent', async () => {
  await draw(student('l4', 'd'));
  for (const nothing of ['  \n ', ' \u200f\u200e ', '\u2067\u2069']) {
    await type(nothing);
    area().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  }
  expect(say).not.toHaveBeenCalled();
});
