import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { EmptyState } from '../../kit/EmptyState.tsx';
import { LessonHero } from './LessonHero.tsx';
import { LessonRow } from './LessonRow.tsx';
import { untilText } from './LessonTimes.tsx';
import { PhaseBadge } from './PhaseBadge.tsx';
import { StartNow } from './StartNow.tsx';
import { doorOpensMs, type OwnGroup, sortDay, type TodayLesson } from './today.ts';

interface Props {
  lessons: readonly TodayLesson[];
  groups: readonly OwnGroup[];
  now: number;
  /** The lesson or group that is being entered. */
  busy?: string;
  onEnter: (lesson: string) => void;
  onStartNow: (group: string, subject: string | undefined) => void;
}

/** Long before its time no student can come: nobody is to take the next lesson for the one of now. */
function enterWords(lesson: TodayLesson, now: number) {
  if (lesson.starts_at - now > doorOpensMs) return 'home.prepare';
  return lesson.phase === 'waiting' ? 'home.start' : 'home.open';
}

/** Today's lessons, one big button for the current one, and a lesson at once for any own class. */
export function TeacherHome({ lessons, groups, now, busy, onEnter, onStartNow }: Props) {
  const day = sortDay(lessons, now);
  const [first, ...others] = day.current;
  const rest = [...others, ...day.later];
  const start = (
    <StartNow
      groups={groups}
      busy={groups.some((each) => each.group === busy)}
      only={lessons.length === 0}
      onStart={onStartNow}
    />
  );
  return (
    <div class="home-columns">
      {lessons.length === 0 && start}
      <div class="home-section">
        {first && (
          <section class="home-section" aria-label={t('home.now')}>
            <LessonHero lesson={first} now={now} as="teacher" busy={busy === first.lesson} onEnter={onEnter} />
          </section>
        )}
        {(rest.length + day.past.length > 0 || !first) && (
          <section class="home-section" aria-labelledby="today">
            <h2 id="today">{t(first ? 'home.later' : 'home.today')}</h2>
            {rest.length + day.past.length === 0 ? (
              <div class="lesson-list">
                <EmptyState icon="calendar" title={t('home.emptyTeacher')} hint={t('home.emptyTeacherHint')} />
              </div>
            ) : (
              <ul class="lesson-list">
                {rest.map((lesson) => (
                  <LessonRow key={lesson.lesson} lesson={lesson}>
                    <span class="muted small">{untilText(lesson, now)}</span>
                    {lesson.unavailable ? (
                      <PhaseBadge phase="unavailable" />
                    ) : (
                      <Button kind="outline" busy={busy === lesson.lesson} onClick={() => onEnter(lesson.lesson)}>
                        {t(enterWords(lesson, now))}
                      </Button>
                    )}
                  </LessonRow>
                ))}
                {day.past.map((lesson) => (
                  <LessonRow key={lesson.lesson} lesson={lesson} dim>
                    <PhaseBadge phase="ended" />
                  </LessonRow>
                ))}
              </ul>
            )}
          </section>
        )}
      </div>
      {lessons.length > 0 && start}
    </div>
  );
}
