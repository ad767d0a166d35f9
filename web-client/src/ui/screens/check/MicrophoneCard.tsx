import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Icon } from '../../kit/Icon.tsx';
import { Meter } from '../../kit/Meter.tsx';
import { Select } from '../../kit/Select.tsx';
import { useState } from 'preact/hooks';
import type { CheckActions, CheckView } from './view.ts';

const heard = 0.15;

/** The microphone with its level, and a word that says whether it is heard. */
export function MicrophoneCard({ view, actions }: { view: CheckView; actions: CheckActions }) {
  return (
    <section class="check-card" aria-labelledby="check-microphone">
      <h2 id="check-microphone">
        <Icon name="microphone" />
        {t('check.microphone')}
      </h2>
      {view.microphoneOn ? (
        <Level view={view} />
      ) : (
        <Button icon="microphone" onClick={() => actions.setMicrophone(true)}>
          {t('check.turnMicrophoneOn')}
        </Button>
      )}
      {view.microphones.length > 1 && (
        <Select
          label={t('device.microphone')}
          hideLabel
          value={view.chosen.microphone}
          options={view.microphones}
          onChoose={(id) => actions.choose('microphone', id)}
        />
      )}
    </section>
  );
}

function Level({ view }: { view: CheckView }) {
  const [wasHeard, setHeard] = useState(false);
  const level = view.level.value;
  if (level > heard && !wasHeard) setHeard(true);
  return (
    <>
      <Meter label={t('check.level')} value={level} />
      <p class="small" role="status">
        {t(wasHeard ? 'check.levelGood' : 'check.levelQuiet')}
      </p>
    </>
  );
}
