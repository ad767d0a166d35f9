import { t } from '../../i18n/index.ts';
import { EmptyState } from '../../kit/EmptyState.tsx';
import { LessonRow } from './LessonRow.tsx';
import { untilText } from './LessonTimes.tsx';
import { PhaseBadge } from './PhaseBadge.tsx';
import { ReportList } from './ReportList.tsx';
import type { SchoolReport } from './report.ts';
import { RunningLesson } from './RunningLesson.tsx';
import { sortDay, type TodayLesson } from './today.ts';

interface Props {
  lessons: readonly TodayLesson[];
  /** Absent where the role may not read them. */
  reports?: readonly SchoolReport[] | 'failed';
  now: number;
  busy?: string;
  onVisit: (lesson: string) => void;
  onRetryReports: () => void;
}

/** What runs now, what was reported, and the rest of the day. */
export function DirectorHome({ lessons, reports, now, busy, onVisit, onRetryReports }: Props) {
  const day = sortDay(lessons, now);
  const rest = [...day.later, ...day.past];
  return (
    <>
      <section class="home-section" aria-labelledby="running">
        <div>
          <h2 id="running">{t('home.running')}</h2>
          <p class="muted small">{t('home.visitHint')}</p>
        </div>
        {day.current.length === 0 ? (
          <div class="card">
            <EmptyState icon="coffee" title={t('home.emptyDirector')} />
          </div>
        ) : (
          <ul class="card-list">
            {day.current.map((lesson) => (
              <RunningLesson key={lesson.lesson} lesson={lesson} busy={busy === lesson.lesson} onVisit={onVisit} />
            ))}
          </ul>
        )}
      </section>
      {reports && <ReportList reports={reports} onRetry={onRetryReports} />}
      {rest.length > 0 && (
        <section class="home-section" aria-labelledby="schedule">
          <h2 id="schedule">{t('home.schedule')}</h2>
          <ul class="lesson-list">
            {rest.map((lesson) => (
              <LessonRow key={lesson.lesson} lesson={lesson} withTeacher dim={day.past.includes(lesson)}>
                {day.past.includes(lesson) ? (
                  <PhaseBadge phase="ended" />
                ) : (
                  <span class="muted small">{untilText(lesson, now)}</span>
                )}
              </LessonRow>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
