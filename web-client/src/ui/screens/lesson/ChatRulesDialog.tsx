import type { ChatMode } from '../../../protocol/generated.ts';
import { t } from '../../i18n/index.ts';
import { Choices } from '../../kit/Choices.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { Select } from '../../kit/Select.tsx';
import type { LessonActions, LessonView } from './view.ts';

interface Props {
  view: LessonView;
  actions: LessonActions;
  close: () => void;
}

const modes: readonly { value: ChatMode; key: 'chat.modeOpen' | 'chat.modeQuestions' | 'chat.modeClosed' }[] = [
  { value: 'open', key: 'chat.modeOpen' },
  { value: 'questions', key: 'chat.modeQuestions' },
  { value: 'closed', key: 'chat.modeClosed' },
];
const pausesS = [0, 5, 10, 30, 60, 120, 300];

/** Who may write and how often. Every choice takes effect at once. */
export function ChatRulesDialog({ view, actions, close }: Props) {
  const options = pausesS.map((seconds) => ({
    value: String(seconds),
    label: seconds === 0 ? t('chat.slowOff') : t('chat.slowEvery', { seconds }),
  }));
  return (
    <Dialog title={t('chat.settings')} onClose={close}>
      <Choices
        label={t('chat.mode')}
        layout="list"
        value={view.chatMode}
        choices={modes.map(({ value, key }) => ({ value, label: t(key) }))}
        onChoose={(mode) => actions.setChat(mode, view.slowModeS)}
      />
      <Select
        label={t('chat.slow')}
        value={String(view.slowModeS)}
        options={options}
        onChoose={(seconds) => actions.setChat(view.chatMode, Number(seconds))}
      />
    </Dialog>
  );
}
