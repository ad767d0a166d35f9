import type { ReceiveMode } from '../../../protocol/generated.ts';
import { t } from '../../i18n/index.ts';
import { Choices } from '../../kit/Choices.tsx';

interface Props {
  value: ReceiveMode;
  onChoose: (mode: ReceiveMode) => void;
}

const modes: readonly ReceiveMode[] = ['voice', 'voice_and_screen', 'low_video', 'everything'];

/** The four ways to receive a lesson, from the cheapest on. */
export function ReceiveChoices({ value, onChoose }: Props) {
  const choices = modes.map((mode) => ({
    value: mode,
    label: t(`receive.${mode}`),
    hint: t(`receive.${mode}Hint`),
  }));
  return (
    <Choices label={t('receive.title')} hideLabel layout="list" value={value} choices={choices} onChoose={onChoose} />
  );
}
