import { t } from '../../i18n/index.ts';
import { type Option, Select } from '../../kit/Select.tsx';

type Kind = 'camera' | 'microphone' | 'speaker';

/** The devices there are and the chosen ones. */
export interface DeviceChoice {
  cameras: readonly Option[];
  microphones: readonly Option[];
  speakers: readonly Option[];
  chosen: Record<Kind, string>;
  onChoose: (kind: Kind, id: string) => void;
}

/** Changes devices while the lesson goes on. */
export function DeviceSettings({ cameras, microphones, speakers, chosen, onChoose }: DeviceChoice) {
  const rows: [Kind, readonly Option[]][] = [
    ['microphone', microphones],
    ['camera', cameras],
    ['speaker', speakers],
  ];
  return (
    <section class="settings-group" aria-label={t('settings.devices')}>
      {rows.map(
        ([kind, options]) =>
          options.length > 0 && (
            <Select
              key={kind}
              label={t(`device.${kind}`)}
              value={chosen[kind]}
              options={options}
              onChoose={(id) => onChoose(kind, id)}
            />
          ),
      )}
    </section>
  );
}
