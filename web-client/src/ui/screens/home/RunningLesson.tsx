import { language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { localized } from '../../kit/names.ts';
import { PersonName } from '../../kit/PersonName.tsx';
import { LessonTimes } from './LessonTimes.tsx';
import { PhaseBadge } from './PhaseBadge.tsx';
import { PresenceBar } from './PresenceBar.tsx';
import { standing, type TodayLesson } from './today.ts';
import './RunningLesson.css';

interface Props {
  lesson: TodayLesson;
  busy?: boolean;
  onVisit: (lesson: string) => void;
}

/** A lesson that runs now: who is there of how many, and the announced visit. */
export function RunningLesson({ lesson, busy, onVisit }: Props) {
  return (
    <li class="card card-small running">
      <div class="card-top">
        <LessonTimes lesson={lesson} />
        <PhaseBadge phase={standing(lesson)} />
      </div>
      <h3>
        {localized(lesson.subject, language.value)} · <bdi>{lesson.group}</bdi>
      </h3>
      <p class="muted small">
        <PersonName name={lesson.teacher.name} />
      </p>
      <PresenceBar present={lesson.students_present} expected={lesson.students_expected} />
      <Button
        kind="outline"
        icon="eye"
        busy={busy}
        disabled={lesson.unavailable}
        onClick={() => onVisit(lesson.lesson)}
      >
        {t('home.visit')}
      </Button>
    </li>
  );
}
