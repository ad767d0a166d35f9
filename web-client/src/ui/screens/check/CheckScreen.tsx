import { t } from '../../i18n/index.ts';
import { Banner } from '../../kit/Banner.tsx';
import { Button } from '../../kit/Button.tsx';
import { IconButton } from '../../kit/IconButton.tsx';
import { CameraCard } from './CameraCard.tsx';
import { MicrophoneCard } from './MicrophoneCard.tsx';
import { NetworkCard } from './NetworkCard.tsx';
import { SpeakerCard } from './SpeakerCard.tsx';
import type { CheckActions, CheckView } from './view.ts';
import './Check.css';

interface Props {
  view: CheckView;
  actions: CheckActions;
}

/** See and hear oneself before the lesson. Nothing here keeps anybody out: both ways in are always open. */
export function CheckScreen({ view, actions }: Props) {
  const props = { view, actions };
  return (
    <div class="check">
      <header class="check-head">
        <IconButton icon="back" label={t('common.back')} onClick={() => actions.back()} />
        <div>
          <h1>{t('check.title')}</h1>
          <p class="muted small">
            {view.subject ? (
              <>
                {view.subject} · <bdi>{view.group}</bdi>
              </>
            ) : (
              '\u00a0'
            )}
          </p>
        </div>
      </header>
      <main class="check-main" id="main">
        {view.problem && <ProblemBanner {...props} />}
        <CameraCard {...props} />
        <div class="check-cards">
          <MicrophoneCard {...props} />
          <SpeakerCard {...props} />
          <NetworkCard {...props} />
          <p class="muted small">{t('check.optional')}</p>
        </div>
      </main>
      <footer class="check-actions">
        <Button kind="primary" size="large" busy={view.entering} onClick={() => actions.join()}>
          {t(joinWords(view))}
        </Button>
        <Button kind="outline" size="large" disabled={view.entering} onClick={() => actions.listenOnly()}>
          {t(view.teacher ? 'check.startAnyway' : 'check.listenOnly')}
        </Button>
      </footer>
    </div>
  );
}

function ProblemBanner({ view, actions }: Props) {
  const { problem } = view;
  if (!problem) return null;
  const retry = <Button onClick={() => actions.retry()}>{t('common.retry')}</Button>;
  return (
    <div class="check-problem" role="alert">
      <Banner tone="warning" action={problem === 'insecure' ? undefined : retry}>
        <strong>{t(`device.${problem}Title`)}</strong>
        <br />
        {t(`device.${problem}Help`)}
      </Banner>
    </div>
  );
}

function joinWords(view: CheckView) {
  if (!view.teacher) return 'check.join';
  return view.running ? 'check.enterTeacher' : 'check.startTeacher';
}
