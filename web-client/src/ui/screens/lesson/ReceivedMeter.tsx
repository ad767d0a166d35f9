import type { ReadonlySignal } from '@preact/signals';
import { formatNumber, t } from '../../i18n/index.ts';
import { Icon } from '../../kit/Icon.tsx';

/** Megabytes received in this lesson: what a family pays for. */
export function ReceivedMeter({ bytes }: { bytes: ReadonlySignal<number> }) {
  const mb = megabytes(bytes.value);
  return (
    <span class="received" title={t('receive.used', { mb })}>
      <Icon name="receive" size="small" />
      <span class="numbers" aria-hidden="true">
        {t('receive.usedShort', { mb })}
      </span>
      <span class="sr-only">{t('receive.used', { mb })}</span>
    </span>
  );
}

/** One decimal below ten, none above. */
export function megabytes(bytes: number): string {
  const mb = bytes / 1_000_000;
  return formatNumber(mb, { maximumFractionDigits: mb < 10 ? 1 : 0 });
}
