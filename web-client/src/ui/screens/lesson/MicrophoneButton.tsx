import { t } from '../../i18n/index.ts';
import { BarButton } from './BarButton.tsx';
import type { LessonActions, LessonView } from './view.ts';

interface Props {
  view: LessonView;
  actions: LessonActions;
  /** A student without the floor: the button says what to do instead. */
  needsFloor?: boolean;
}

/** The microphone: on, muted, or waiting for the floor. */
export function MicrophoneButton({ view, actions, needsFloor }: Props) {
  const on = view.microphone === 'on';
  const label = needsFloor ? 'bar.microphoneNeedsFloor' : on ? 'bar.microphoneOff' : 'bar.microphoneOn';
  return (
    <BarButton
      icon={on ? 'microphone' : 'microphoneOff'}
      text={t('bar.microphone')}
      label={t(label)}
      tone={on ? 'on' : 'plain'}
      pressed={on}
      unavailable={needsFloor}
      busy={view.microphone === 'starting'}
      shortcut="M"
      onPress={() => actions.setMicrophone(!on)}
    />
  );
}
