import type { DeviceKind } from '../../app/devices.ts';
import { t } from '../i18n/index.ts';
import type { Option } from '../kit/Select.tsx';

/** Devices as choices, the system's default first; nameless ones are numbered. */
export function deviceOptions(kind: DeviceKind, devices: readonly { id: string; label: string }[]): Option[] {
  const named = devices
    .filter(({ id }) => id !== 'default' && id !== 'communications')
    .map(({ id, label }, index) => ({
      value: id,
      label: label || t('device.numbered', { kind: t(`device.${kind}`), number: index + 1 }),
    }));
  return named.length === 0 ? [] : [{ value: '', label: t('device.default') }, ...named];
}
