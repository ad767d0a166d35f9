import { formatTime, language, t } from '../../i18n/index.ts';
import { Badge } from '../../kit/Badge.tsx';
import { IconButton } from '../../kit/IconButton.tsx';
import { localized } from '../../kit/names.ts';
import { useNow } from '../../kit/useNow.ts';
import { DataMeter } from './DataMeter.tsx';
import { LessonMenu } from './LessonMenu.tsx';
import type { LessonDialog } from './LessonDialogs.tsx';
import type { LessonActions, LessonView } from './view.ts';
import './LessonHeader.css';

interface Props {
  view: LessonView;
  actions: LessonActions;
  compact: boolean;
  openDialog: (dialog: LessonDialog) => void;
}

/** What lesson this is, how long it goes on, and the menu. */
export function LessonHeader({ view, actions, compact, openDialog }: Props) {
  return (
    <header class="lesson-head" aria-label={t('lesson.header')}>
      <div class="lesson-head-title">
        <h1>
          <span class="lesson-head-subject">{localized(view.info.subject, language.value)}</span>{' '}
          <bdi class="lesson-head-class">{view.info.group}</bdi>
        </h1>
        <LessonClock view={view} />
      </div>
      {view.locked && (
        <Badge tone="warning" icon="lock">
          <span class={compact ? 'sr-only' : undefined}>{t('lesson.locked')}</span>
        </Badge>
      )}
      {!compact && view.phase === 'paused' && <Badge tone="warning">{t('home.phasePaused')}</Badge>}
      {!view.rights.leads && view.rights.speaks && <DataMeter data={view.data} />}
      {!compact && <IconButton icon="settings" label={t('settings.title')} onClick={() => actions.openSettings()} />}
      <LessonMenu view={view} actions={actions} compact={compact} openDialog={openDialog} />
    </header>
  );
}

function LessonClock({ view }: { view: LessonView }) {
  const now = useNow(5_000, view.clockOffsetMs);
  const left = Math.ceil((view.info.ends_at - now) / 60_000);
  return (
    <p class="lesson-head-clock">
      <span class="numbers" dir="ltr">
        {formatTime(now)}
      </span>
      <span aria-hidden="true"> · </span>
      {left >= 0 ? t('lesson.timeLeft', { minutes: left }) : t('lesson.overTime', { minutes: -left })}
    </p>
  );
}
