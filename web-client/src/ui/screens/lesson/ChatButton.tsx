import { t } from '../../i18n/index.ts';
import { BarButton } from './BarButton.tsx';

interface Props {
  unread: number;
  open: boolean;
  onPress: () => void;
}

/** The chat, with the number of lines not read yet. */
export function ChatButton({ unread, open, onPress }: Props) {
  return (
    <BarButton
      icon="chat"
      text={t('bar.chat')}
      label={t('bar.chatUnread', { count: unread })}
      pressed={open}
      count={unread}
      shortcut="C"
      onPress={onPress}
    />
  );
}
