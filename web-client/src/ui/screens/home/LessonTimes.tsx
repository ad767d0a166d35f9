import { formatTime, t } from '../../i18n/index.ts';
import { isolated } from '../../kit/names.ts';
import { minutesUntil, type TodayLesson } from './today.ts';

/** From and to, in words where a dash between two hours could be read from either side. */
export function LessonTimes({ lesson }: { lesson: TodayLesson }) {
  const [from, to] = [lesson.starts_at, lesson.ends_at].map((at) => isolated(formatTime(at)));
  return <span class="numbers lesson-times">{t('home.from', { from: from ?? '', to: to ?? '' })}</span>;
}

/** In words, how far away the start or the end is. */
export function untilText(lesson: TodayLesson, now: number): string {
  if (lesson.starts_at <= now) return t('home.minutesLeft', { minutes: minutesUntil(lesson.ends_at, now) });
  const minutes = minutesUntil(lesson.starts_at, now);
  return minutes < 60 ? t('home.startsIn', { minutes }) : t('home.startsInHours', { hours: Math.round(minutes / 60) });
}
