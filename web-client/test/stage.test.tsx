import { signal } from '@preact/signals';
import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { t } from '../src/ui/i18n/index.ts';
import { Stage } from '../src/ui/screens/lesson/Stage.tsx';
import type { LessonActions, LessonView } from '../src/ui/screens/lesson/view.ts';

let root: HTMLElement;
const receive = vi.fn();
const actions = {} as LessonActions;
const teacher = { user: 't', role: 'teacher', name: { latin: { given: 'Nadia', family: 'Bennani' } } };

function view(more: object): LessonView {
  return { stage: { kind: 'screen', of: teacher }, speaking: signal(new Set()), ...more } as unknown as LessonView;
}

const draw = (more: object) =>
  act(() => render(<Stage view={view(more)} actions={actions} onReceive={receive} />, root));
const says = (words: string) => root.querySelector('.stage-message')?.textContent?.includes(words) === true;

beforeEach(() => {
  vi.spyOn(HTMLMediaElement.prototype, 'play').mockResolvedValue();
  receive.mockClear();
  root = document.createElement('div');
  document.body.append(root);
});
afterEach(() => {
  act(() => render(null, root));
  root.remove();
});

test('a shared screen that is not there yet is no black field, and gives way to its first frame', () => {
  const stream = new MediaStream();
  draw({ videoOf: () => stream });
  expect(says(t('lesson.screenComing'))).toBe(true);
  act(() => void root.querySelector('video')?.dispatchEvent(new Event('loadeddata')));
  expect(root.querySelector('.stage-message')).toBeNull();
  draw({ videoOf: () => stream, picturesRest: 'budget' });
  expect(root.querySelector('.stage-message')).toBeNull();
});

test('a screen beyond the budget says so, and leads to the budget', () => {
  draw({ videoOf: () => undefined, picturesRest: 'budget' });
  expect(says(t('lesson.screenBeyondBudget'))).toBe(true);
  act(() => [...root.querySelectorAll('button')].find((each) => each.textContent === t('receive.title'))?.click());
  expect(receive).toHaveBeenCalledOnce();
});

test('a screen that a weak network stops says so', () => {
  draw({ videoOf: () => undefined, picturesRest: 'weak' });
  expect(says(t('connection.weak'))).toBe(true);
});

test('while the camera rests the stage does not ask to turn it on', () => {
  draw({ stage: { kind: 'alone' }, studentsPresent: 3, cameraRests: true });
  expect(says(t('lesson.cameraRests'))).toBe(true);
  expect(says(t('lesson.teacherEmptyHint'))).toBe(false);
});
