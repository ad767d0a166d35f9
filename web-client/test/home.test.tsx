import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { t } from '../src/ui/i18n/index.ts';
import { TeacherHome } from '../src/ui/screens/home/TeacherHome.tsx';
import { sortDay, type TodayLesson } from '../src/ui/screens/home/today.ts';

const HOUR = 3_600_000;
const NOW = 1_795_480_000_000;
const words = { ar: 'الرياضيات', fr: 'Mathématiques', en: 'Mathematics' };

const lesson = (id: string, startsInMs: number, phase: TodayLesson['phase']): TodayLesson => ({
  lesson: id,
  subject: words,
  group: '1APIC-1',
  teacher: { user: 't', role: 'teacher', name: { arabic: null, latin: { given: 'Nadia', family: 'Bennani' } } },
  starts_at: NOW + startsInMs,
  ends_at: NOW + startsInMs + HOUR,
  phase,
  unavailable: false,
  students_present: 0,
  students_expected: 30,
});

let root: HTMLElement;
beforeEach(() => {
  root = document.createElement('div');
  document.body.append(root);
});
afterEach(() => {
  render(null, root);
  root.remove();
});

test('a lesson of later is prepared, not started: no student can come yet', async () => {
  const lessons = [lesson('now', -60_000, 'waiting'), lesson('later', 2 * HOUR, 'waiting')];
  await act(() =>
    render(
      <TeacherHome lessons={lessons} groups={[]} now={NOW} onEnter={() => undefined} onStartNow={() => undefined} />,
      root,
    ),
  );
  const buttons = [...root.querySelectorAll('button')].map((button) => button.textContent?.trim());
  expect(buttons).toContain(t('home.start'));
  expect(buttons).toContain(t('home.prepare'));
  expect(buttons.filter((text) => text === t('home.start'))).toHaveLength(1);
});

test('a lesson whose log does not answer says so and cannot be entered', async () => {
  const lessons = [
    { ...lesson('now', -60_000, 'waiting'), unavailable: true },
    { ...lesson('later', 2 * HOUR, 'waiting'), unavailable: true },
  ];
  await act(() =>
    render(
      <TeacherHome lessons={lessons} groups={[]} now={NOW} onEnter={() => undefined} onStartNow={() => undefined} />,
      root,
    ),
  );
  expect(root.textContent).toContain(t('home.lessonUnavailable'));
  expect([...root.querySelectorAll('button')].filter(({ disabled }) => !disabled)).toHaveLength(0);
});

test('a lesson that was only prepared never stands before the lesson of now', () => {
  const day = sortDay([lesson('now', -60_000, 'waiting'), lesson('prepared', 2 * HOUR, 'paused')], NOW);
  expect(day.current.map(({ lesson }) => lesson)).toEqual(['now', 'prepared']);
});

test('a lesson that runs comes before one that waits', () => {
  const day = sortDay([lesson('waits', -120_000, 'waiting'), lesson('runs', -60_000, 'open')], NOW);
  expect(day.current.map(({ lesson }) => lesson)).toEqual(['runs', 'waits']);
});

test('without a lesson in the timetable the lesson at once comes first', async () => {
  const groups = [{ group: 'g', name: '1APIC-1', subjects: [{ subject: 's', name: words }] }];
  await act(() =>
    render(
      <TeacherHome lessons={[]} groups={groups} now={NOW} onEnter={() => undefined} onStartNow={() => undefined} />,
      root,
    ),
  );
  const titles = [...root.querySelectorAll('h2')].map((title) => title.textContent);
  expect(titles.slice(0, 2)).toEqual([t('home.startNow'), t('home.today')]);
});
