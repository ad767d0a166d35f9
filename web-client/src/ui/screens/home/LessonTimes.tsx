import { formatTime, t } from '../../i18n/index.ts';
import { minutesUntil, type TodayLesson } from './today.ts';

/** From and to, isolated so that the hours never change places in Arabic. */
export function LessonTimes({ lesson }: { lesson: TodayLesson }) {
  return (
    <span class="numbers lesson-times" dir="ltr">
      {formatTime(lesson.starts_at)} – {formatTime(lesson.ends_at)}
    </span>
  );
}

/** In words, how far away the start or the end is. */
export function untilText(lesson: TodayLesson, now: number): string {
  if (lesson.starts_at <= now) return t('home.minutesLeft', { minutes: minutesUntil(lesson.ends_at, now) });
  const minutes = minutesUntil(lesson.starts_at, now);
  return minutes < 60 ? t('home.startsIn', { minutes }) : t('home.startsInHours', { hours: Math.round(minutes / 60) });
}
