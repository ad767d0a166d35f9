import { t } from '../../i18n/index.ts';
import { Toolbar } from '../../kit/Toolbar.tsx';
import { BarButton } from './BarButton.tsx';
import type { LessonView } from './view.ts';

interface Props {
  view: LessonView;
  chatOpen: boolean;
  onChat: () => void;
  onReceive: () => void;
  onLeave: () => void;
}

/** A visit watches: chat to read, what to receive, leave. */
export function VisitorBar({ view, chatOpen, onChat, onReceive, onLeave }: Props) {
  return (
    <Toolbar label={t('lesson.controls')} class="lesson-bar-tools">
      <BarButton
        icon="chat"
        text={t('bar.chat')}
        label={t('bar.chatUnread', { count: view.chat.unread })}
        pressed={chatOpen}
        count={view.chat.unread}
        shortcut="C"
        onPress={onChat}
      />
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
