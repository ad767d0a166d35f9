import type { ReadonlySignal } from '@preact/signals';
import type { DataUsed } from '../../../lesson/data.ts';
import { formatNumber, t } from '../../i18n/index.ts';
import { Icon } from '../../kit/Icon.tsx';

/** Megabytes of this lesson, as the server counts them: what a family pays for. */
export function DataMeter({ data }: { data: ReadonlySignal<DataUsed> }) {
  const { bytes, budget } = data.value;
  const mb = megabytes(bytes);
  const short =
    budget === null ? t('receive.usedShort', { mb }) : t('receive.usedOfShort', { mb, budget: megabytes(budget) });
  return (
    <span class="received" title={usedText(data.value)}>
      <Icon name="receive" size="small" />
      <span class="numbers" aria-hidden="true">
        {short}
      </span>
      <span class="sr-only">{usedText(data.value)}</span>
    </span>
  );
}

/** Used, and what is left. */
export function usedText({ bytes, budget }: DataUsed): string {
  const mb = megabytes(bytes);
  if (budget === null) return t('receive.used', { mb });
  if (bytes >= budget) return t('receive.usedUp', { mb, budget: megabytes(budget) });
  return t('receive.usedAndLeft', { mb, left: megabytes(budget - bytes) });
}

/** One decimal below ten, none above. */
export function megabytes(bytes: number): string {
  const mb = bytes / 1_000_000;
  return formatNumber(mb, { maximumFractionDigits: mb < 10 ? 1 : 0 });
}
