import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Icon } from '../../kit/Icon.tsx';
import { Select } from '../../kit/Select.tsx';
import type { CheckActions, CheckView } from './view.ts';

/** A bell to hear; its tap is also what lets the browser play the lesson's sound. */
export function SpeakerCard({ view, actions }: { view: CheckView; actions: CheckActions }) {
  return (
    <section class="check-card" aria-labelledby="check-speaker">
      <h2 id="check-speaker">
        <Icon name="speaker" />
        {t('check.speaker')}
      </h2>
      <div class="check-line">
        <Button icon="bell" onClick={() => actions.playBell()}>
          {t('check.playBell')}
        </Button>
        <span class="small" role="status">
          {view.bell ? t('check.playingBell') : ''}
        </span>
      </div>
      {view.speakers.length > 1 && (
        <Select
          label={t('device.speaker')}
          hideLabel
          value={view.chosen.speaker}
          options={view.speakers}
          onChoose={(id) => actions.choose('speaker', id)}
        />
      )}
    </section>
  );
}
