import { useEffect, useRef, useState } from 'preact/hooks';
import { language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Icon } from '../../kit/Icon.tsx';
import { IconButton } from '../../kit/IconButton.tsx';
import { fullName, isolated } from '../../kit/names.ts';
import { PersonTile } from './PersonTile.tsx';
import { StageMessage } from './StageMessage.tsx';
import { TakeFloor } from './TakeFloor.tsx';
import { Video } from './Video.tsx';
import type { LessonActions, LessonPerson, LessonView } from './view.ts';
import './Stage.css';

interface Props {
  view: LessonView;
  actions: LessonActions;
  /** Asks what is to be received. */
  onReceive: () => void;
}

/** What the class looks at: a screen, a face, or a calm word why there is neither. */
export function Stage({ view, actions, onReceive }: Props) {
  const element = useRef<HTMLElement>(null);
  const full = useFullScreen();
  return (
    <section ref={element} class="stage" aria-label={t('lesson.stage')} tabIndex={-1} data-region="stage">
      <StageContent view={view} actions={actions} onReceive={onReceive} />
      {(view.stage.kind === 'screen' || view.stage.kind === 'person') && (
        <div class="stage-corner">
          <IconButton
            icon="expand"
            tone="stage"
            label={t(full ? 'lesson.shrink' : 'lesson.enlarge')}
            onClick={() => toggleFullScreen(element.current)}
          />
        </div>
      )}
      {view.stage.kind === 'person' && (
        <div class="stage-action">
          <TakeFloor person={view.stage.of} view={view} actions={actions} kind="stage" />
        </div>
      )}
      {view.soundLocked && <SoundUnlock actions={actions} />}
    </section>
  );
}

function useFullScreen(): boolean {
  const [full, setFull] = useState(false);
  useEffect(() => {
    const look = () => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', look);
    return () => document.removeEventListener('fullscreenchange', look);
  }, []);
  return full;
}

/** After a reload the browser waits for a sign of life before it plays sound: any tap or key will do, the button says so. */
function SoundUnlock({ actions }: { actions: LessonActions }) {
  useEffect(() => {
    const unlock = () => actions.unlockSound();
    document.addEventListener('pointerup', unlock);
    document.addEventListener('keydown', unlock);
    return () => {
      document.removeEventListener('pointerup', unlock);
      document.removeEventListener('keydown', unlock);
    };
  }, [actions]);
  return (
    <div class="stage-sound">
      <Button kind="accent" icon="speaker" onClick={() => actions.unlockSound()}>
        {t('lesson.tapToHear')}
      </Button>
    </div>
  );
}

function StageContent({ view, actions, onReceive }: Props) {
  const { stage } = view;
  switch (stage.kind) {
    case 'waiting':
      return (
        <StageMessage icon="clock" title={t('lesson.waitingTitle')} hint={t('lesson.waitingHelp')}>
          <p class="stage-count">{t('home.phaseStudentsWaiting', { count: view.studentsPresent })}</p>
        </StageMessage>
      );
    case 'paused':
      return <StageMessage icon="coffee" title={t('lesson.pausedTitle')} hint={t('lesson.pausedHelp')} />;
    case 'alone':
      if (view.cameraRests)
        return <StageMessage icon="cameraOff" title={t('lesson.cameraRests')} hint={t('lesson.cameraRestsHint')} />;
      return (
        <StageMessage
          icon="people"
          title={t(view.studentsPresent > 0 ? 'lesson.teacherReady' : 'lesson.teacherEmpty')}
          hint={t('lesson.teacherEmptyHint')}
        />
      );
    case 'teacher_away':
      return <StageMessage icon="cut" title={t('lesson.teacherAway')} hint={t('lesson.teacherAwayHint')} />;
    case 'screen_off':
      return (
        <StageMessage
          icon="screenOff"
          title={t('lesson.screenOf', { name: nameOf(stage.of) })}
          hint={t('lesson.screenOff')}
        >
          <Button kind="stage" icon="screen" onClick={() => actions.setReceiveMode('voice_and_screen')}>
            {t('lesson.showScreen')}
          </Button>
        </StageMessage>
      );
    case 'own_screen':
      return <OwnScreen view={view} actions={actions} />;
    case 'screen':
      return <SharedScreen of={stage.of} view={view} onReceive={onReceive} />;
    case 'person':
      return (
        <PersonTile
          person={stage.of}
          stream={view.videoOf(stage.of.user, 'camera')}
          live={view.showsVideo || stage.of.me}
          speaking={view.speaking}
          large
        />
      );
  }
}

/** A screen; until its first frame, and where none may come, the word why. */
function SharedScreen({ of, view, onReceive }: Pick<Props, 'view' | 'onReceive'> & { of: LessonPerson }) {
  const stream = view.videoOf(of.user, 'screen');
  const [shown, setShown] = useState<MediaStream>();
  const label = t('lesson.screenOf', { name: nameOf(of) });
  const isShown = stream !== undefined && shown === stream;
  return (
    <>
      {!isShown && (
        <StageMessage icon="screen" title={label} hint={t(whyNoScreen[view.picturesRest ?? 'coming'])}>
          {view.picturesRest === 'budget' && (
            <Button kind="stage" icon="receive" onClick={onReceive}>
              {t('receive.title')}
            </Button>
          )}
        </StageMessage>
      )}
      <Video stream={stream} fit="contain" label={label} onShown={setShown} />
      {isShown && (
        <p class="stage-label">
          <Icon name="screen" size="small" />
          {label}
        </p>
      )}
    </>
  );
}

const whyNoScreen = {
  coming: 'lesson.screenComing',
  budget: 'lesson.screenBeyondBudget',
  weak: 'connection.weak',
} as const;

function OwnScreen({ view, actions }: Omit<Props, 'onReceive'>) {
  return (
    <div class="own-screen">
      <div class="own-screen-picture">
        <Video stream={view.videoOf(view.me.user, 'screen')} fit="contain" label={t('lesson.ownScreen')} />
      </div>
      <div class="own-screen-words">
        <p>
          <strong>{t('lesson.ownScreen')}</strong>
        </p>
        <p class="small">{t('lesson.ownScreenHint')}</p>
        <Button kind="danger" icon="screenOff" onClick={() => actions.setScreen(false)}>
          {t('lesson.stopScreen')}
        </Button>
      </div>
    </div>
  );
}

function nameOf(person: { name: LessonView['me']['name'] }): string {
  return isolated(fullName(person.name, language.value) || t('common.unknownPerson'));
}

function toggleFullScreen(element: HTMLElement | null) {
  if (document.fullscreenElement) void document.exitFullscreen();
  else element?.requestFullscreen?.().catch(() => {});
}
