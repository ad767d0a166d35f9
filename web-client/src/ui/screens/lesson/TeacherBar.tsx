import { t } from '../../i18n/index.ts';
import { Toolbar } from '../../kit/Toolbar.tsx';
import { BarButton } from './BarButton.tsx';
import { ChatButton } from './ChatButton.tsx';
import { MicrophoneButton } from './MicrophoneButton.tsx';
import type { LessonActions, LessonView } from './view.ts';

interface Props {
  view: LessonView;
  actions: LessonActions;
  compact: boolean;
  chatOpen: boolean;
  onChat: () => void;
  onHands: () => void;
  onEnd: () => void;
  onLeave: () => void;
}

/**
 * The teacher's bar; on phones the screen, which most phones cannot share, moves to the menu. Who only prepares a lesson
 * leaves it: ended before its hour, it could not be given any more.
 */
export function TeacherBar({ view, actions, compact, chatOpen, onChat, onHands, onEnd, onLeave }: Props) {
  const camera = view.cameraTrack !== 'off';
  const screen = view.screenTrack !== 'off';
  return (
    <Toolbar label={t('lesson.controls')} class="lesson-bar-tools">
      <MicrophoneButton view={view} actions={actions} />
      <BarButton
        icon={camera ? 'camera' : 'cameraOff'}
        text={t('bar.camera')}
        label={t(camera ? 'bar.cameraOff' : 'bar.cameraOn')}
        tone={camera ? 'on' : 'plain'}
        pressed={camera}
        busy={view.cameraTrack === 'starting'}
        onPress={() => actions.setCamera(!camera)}
      />
      {!compact && view.canShareScreen && (
        <BarButton
          icon={screen ? 'screenOff' : 'screen'}
          text={t('bar.screen')}
          label={t(screen ? 'bar.screenOff' : 'bar.screenOn')}
          tone={screen ? 'on' : 'plain'}
          pressed={screen}
          busy={view.screenTrack === 'starting'}
          onPress={() => actions.setScreen(!screen)}
        />
      )}
      <BarButton
        icon="hand"
        text={t('bar.hands')}
        label={`${t('bar.hands')} (${t('bar.handsCount', { count: view.hands.length })})`}
        tone={view.hands.length > 0 ? 'hand' : 'plain'}
        count={view.hands.length}
        shortcut="H"
        onPress={onHands}
      />
      <ChatButton unread={view.chat.unread} open={chatOpen} onPress={onChat} />
      {view.begun ? (
        <BarButton icon="end" text={t('bar.end')} label={t('bar.end')} tone="danger" onPress={onEnd} />
      ) : (
        <BarButton icon="leave" text={t('bar.leave')} label={t('bar.leave')} tone="danger" onPress={onLeave} />
      )}
    </Toolbar>
  );
}
