import { t } from '../../i18n/index.ts';
import { Toolbar } from '../../kit/Toolbar.tsx';
import { BarButton } from './BarButton.tsx';
import { ChatButton } from './ChatButton.tsx';
import { MicrophoneButton } from './MicrophoneButton.tsx';
import type { LessonActions, LessonView } from './view.ts';

interface Props {
  view: LessonView;
  actions: LessonActions;
  chatOpen: boolean;
  onChat: () => void;
  onReceive: () => void;
  onLeave: () => void;
}

/** Microphone, hand, chat, what to receive, leave: five, the same on every screen. A visit only watches: the last three. */
export function ListenerBar({ view, actions, chatOpen, onChat, onReceive, onLeave }: Props) {
  return (
    <Toolbar label={t('lesson.controls')} class="lesson-bar-tools">
      {view.rights.speaks && <MicrophoneButton view={view} actions={actions} needsFloor={!view.me.floor} />}
      {view.rights.speaks && <HandButton view={view} actions={actions} />}
      <ChatButton unread={view.chat.unread} open={chatOpen} onPress={onChat} />
      <BarButton
        icon="receive"
        text={t('bar.receive')}
        label={`${t('bar.receive')}: ${t(`receive.${view.receiveMode}`)}`}
        onPress={onReceive}
      />
      <BarButton icon="leave" text={t('bar.leave')} label={t('bar.leave')} tone="danger" onPress={onLeave} />
    </Toolbar>
  );
}

function HandButton({ view, actions }: { view: LessonView; actions: LessonActions }) {
  const place = view.handPlace;
  const up = place !== undefined;
  const label = t(up ? 'bar.handDown' : 'bar.hand');
  return (
    <BarButton
      icon="hand"
      text={up ? t('bar.handPlace', { place }) : t('bar.handShort')}
      label={up ? `${label} – ${t('bar.handPlace', { place })}` : label}
      tone={up ? 'hand' : 'plain'}
      pressed={up}
      shortcut="H"
      onPress={() => actions.setHand(!up)}
    />
  );
}
