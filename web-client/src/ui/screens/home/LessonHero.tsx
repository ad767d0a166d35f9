import { language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { fullName, isolated, localized } from '../../kit/names.ts';
import { TilePattern } from '../../kit/TilePattern.tsx';
import { LessonTimes, untilText } from './LessonTimes.tsx';
import { PhaseBadge } from './PhaseBadge.tsx';
import { standing, type TodayLesson } from './today.ts';
import './LessonHero.css';

interface Props {
  lesson: TodayLesson;
  now: number;
  as: 'teacher' | 'student';
  busy?: boolean;
  onEnter: (lesson: string) => void;
}

/** The lesson that matters now, with the one button that enters it. */
export function LessonHero({ lesson, now, as, busy, onEnter }: Props) {
  const running = lesson.phase === 'open' || lesson.phase === 'paused';
  const words = as === 'student' ? t('home.join') : t(running ? 'home.open' : 'home.start');
  return (
    <article class="hero">
      <TilePattern />
      <div class="hero-top">
        <PhaseBadge phase={standing(lesson)} />
        <span class="hero-until">{untilText(lesson, now)}</span>
      </div>
      <h2 class="hero-title">{localized(lesson.subject, language.value)}</h2>
      <p class="hero-line">
        <bdi class="hero-class">{lesson.group}</bdi>
        {as === 'student' && (
          <span>{t('home.with', { name: isolated(fullName(lesson.teacher.name, language.value)) })}</span>
        )}
      </p>
      <p class="hero-line">
        <LessonTimes lesson={lesson} />
        {as === 'teacher' && <span>{presence(lesson)}</span>}
      </p>
      {lesson.unavailable && <p class="hero-line">{t('home.lessonUnavailable')}</p>}
      <Button
        kind="accent"
        size="large"
        icon={as === 'student' ? 'leave' : 'play'}
        busy={busy}
        disabled={lesson.unavailable}
        onClick={() => onEnter(lesson.lesson)}
      >
        {words}
      </Button>
    </article>
  );
}

function presence(lesson: TodayLesson): string {
  if (lesson.phase === 'waiting') return t('home.phaseStudentsWaiting', { count: lesson.students_present });
  return t('home.presentLong', { present: lesson.students_present, expected: lesson.students_expected });
}
