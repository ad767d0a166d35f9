import type { OwnGroup, TodayLesson } from '../../../school/api.ts';

export type { OwnGroup, TodayLesson };

/** Students may enter this long before the start. */
export const doorOpensMs = 15 * 60_000;

/** Today's lessons by what somebody can do with them. */
export interface Day {
  current: TodayLesson[];
  later: TodayLesson[];
  past: TodayLesson[];
}

/** Running or about to start first; a lesson that ended early is past whatever the clock says. */
export function sortDay(lessons: readonly TodayLesson[], now: number): Day {
  const sorted = [...lessons].sort((a, b) => a.starts_at - b.starts_at);
  const live = (lesson: TodayLesson) => lesson.phase === 'open' || lesson.phase === 'paused';
  const over = (lesson: TodayLesson) => lesson.phase === 'ended' || (lesson.ends_at < now && !live(lesson));
  const near = (lesson: TodayLesson) => lesson.starts_at - doorOpensMs <= now;
  const current = sorted.filter((lesson) => !over(lesson) && (live(lesson) || near(lesson)));
  // One that was only prepared never comes before the lesson of now.
  const rank = (lesson: TodayLesson) => (near(lesson) ? 0 : 2) + (live(lesson) ? 0 : 1);
  return {
    current: current.sort((a, b) => rank(a) - rank(b)),
    later: sorted.filter((lesson) => !over(lesson) && !live(lesson) && !near(lesson)),
    past: sorted.filter(over),
  };
}

/** What is said of a lesson: where nobody can enter, its phase is only a guess. */
export function standing({ phase, unavailable }: TodayLesson): TodayLesson['phase'] | 'unavailable' {
  return unavailable ? 'unavailable' : phase;
}

/** Whole minutes from now until then, never below zero. */
export function minutesUntil(then: number, now: number): number {
  return Math.max(0, Math.ceil((then - now) / 60_000));
}
