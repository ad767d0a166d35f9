import type { ComponentChildren } from 'preact';
import { language, t } from '../../i18n/index.ts';
import { fullName, isolated, localized } from '../../kit/names.ts';
import { LessonTimes } from './LessonTimes.tsx';
import type { TodayLesson } from './today.ts';
import './LessonRow.css';

interface Props {
  lesson: TodayLesson;
  /** Who teaches is said where it is not the reader. */
  withTeacher?: boolean;
  dim?: boolean;
  children?: ComponentChildren;
}

/** One lesson in a list: when, what, who, and what can be done. */
export function LessonRow({ lesson, withTeacher, dim, children }: Props) {
  return (
    <li class={dim ? 'lesson-row lesson-row-dim' : 'lesson-row'}>
      <LessonTimes lesson={lesson} />
      <div class="lesson-row-what">
        <strong>{localized(lesson.subject, language.value)}</strong>
        <span class="muted small">
          <bdi>{lesson.group}</bdi>
          {withTeacher &&
            lesson.teacher.name &&
            ` · ${t('home.with', { name: isolated(fullName(lesson.teacher.name, language.value)) })}`}
        </span>
      </div>
      <div class="lesson-row-end">{children}</div>
    </li>
  );
}
