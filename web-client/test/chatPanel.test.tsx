import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { t } from '../src/ui/i18n/index.ts';
import { ChatPanel } from '../src/ui/screens/lesson/ChatPanel.tsx';
import type { ChatItem, LessonActions, LessonView } from '../src/ui/screens/lesson/view.ts';

let root: HTMLElement;
const loadOlder = vi.fn();
const actions = { loadOlder, readChat: () => undefined } as unknown as LessonActions;

const lines = (from: number, to: number): ChatItem[] =>
  Array.from({ length: to - from }, (_, at) => {
    const number = from + at;
    return {
      key: `${number}`,
      number,
      author: undefined,
      mine: false,
      toTeachers: false,
      text: `line ${number}`,
      at: number,
      state: 'sent',
    };
  });

function view(items: ChatItem[], more = false): LessonView {
  const chat = { items, more, loadingOlder: false, unread: 0 };
  const info = { lesson: 'l' };
  return {
    chat,
    info,
    me: { user: 'a' },
    phase: 'open',
    chatMode: 'open',
    slowModeS: 0,
    rights: {},
  } as unknown as LessonView;
}

const draw = (shown: LessonView) => act(() => render(<ChatPanel view={shown} actions={actions} />, root));
const texts = () => [...root.querySelectorAll('.line-text')].map((line) => line.textContent);
const older = () => [...root.querySelectorAll('button')].find((each) => each.textContent === t('chat.older'));

beforeEach(() => {
  loadOlder.mockClear();
  root = document.createElement('div');
  document.body.append(root);
});
afterEach(() => {
  render(null, root);
  root.remove();
});

test('of two thousand lines the newest hundred are drawn', async () => {
  await draw(view(lines(0, 2_000)));
  expect(texts()).toHaveLength(100);
  await draw(view(lines(0, 2_001)));
  expect(texts()).toHaveLength(100);
  expect(texts().at(-1)).toBe('line 2000');
});

test('older lines are drawn when asked for, first those that are here, and stay while new ones come', async () => {
  await draw(view(lines(1_000, 1_120), true));
  await act(() => older()?.click());
  expect(texts()[0]).toBe('line 1000');
  expect(loadOlder).not.toHaveBeenCalled();
  await draw(view(lines(1_000, 1_300), true));
  expect(texts()).toHaveLength(300);
  await act(() => older()?.click());
  expect(loadOlder).toHaveBeenCalledOnce();
  await draw(view(lines(950, 1_300), true));
  expect(texts()[0]).toBe('line 950');
  await draw(view(lines(950, 1_300)));
  expect(older()).toBeUndefined();
});
