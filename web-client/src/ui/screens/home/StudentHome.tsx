import { t } from '../../i18n/index.ts';
import { EmptyState } from '../../kit/EmptyState.tsx';
import { LessonHero } from './LessonHero.tsx';
import { LessonRow } from './LessonRow.tsx';
import { untilText } from './LessonTimes.tsx';
import { PhaseBadge } from './PhaseBadge.tsx';
import { sortDay, type TodayLesson } from './today.ts';

interface Props {
  lessons: readonly TodayLesson[];
  now: number;
  busy?: string;
  onEnter: (lesson: string) => void;
}

/** The lesson now with its clock and one big button; what comes later below. */
export function StudentHome({ lessons, now, busy, onEnter }: Props) {
  const day = sortDay(lessons, now);
  return (
    <>
      {day.current.map((lesson) => (
        <section key={lesson.lesson} class="home-section" aria-label={t('home.now')}>
          <LessonHero lesson={lesson} now={now} as="student" busy={busy === lesson.lesson} onEnter={onEnter} />
        </section>
      ))}
      {day.current.length + day.later.length === 0 && (
        <div class="card">
          <EmptyState
            icon="calendar"
            title={t(day.past.length > 0 ? 'home.doneStudent' : 'home.emptyStudent')}
            hint={t('home.emptyStudentHint')}
          />
        </div>
      )}
      {day.later.length > 0 && (
        <section class="home-section" aria-labelledby="later">
          <h2 id="later">{t('home.later')}</h2>
          <ul class="lesson-list">
            {day.later.map((lesson) => (
              <LessonRow key={lesson.lesson} lesson={lesson} withTeacher>
                <span class="muted small">{untilText(lesson, now)}</span>
              </LessonRow>
            ))}
          </ul>
          <p class="muted small">{t('home.tooEarly')}</p>
        </section>
      )}
      {day.past.length > 0 && (
        <section class="home-section" aria-labelledby="past">
          <h2 id="past">{t('home.past')}</h2>
          <ul class="lesson-list">
            {day.past.map((lesson) => (
              <LessonRow key={lesson.lesson} lesson={lesson} withTeacher dim>
                <PhaseBadge phase="ended" />
              </LessonRow>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
