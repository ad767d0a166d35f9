import type { ReadonlySignal } from '@preact/signals';
import type { DataUsed } from '../../../lesson/data.ts';
import type { ReceiveMode } from '../../../protocol/generated.ts';
import { t } from '../../i18n/index.ts';
import { BudgetChoices } from '../lesson/BudgetChoices.tsx';
import { ReceiveChoices } from '../lesson/ReceiveChoices.tsx';

/** What is received now, and how to change it. */
export interface ReceiveChoice {
  mode: ReceiveMode;
  onChoose: (mode: ReceiveMode) => void;
  data: ReadonlySignal<DataUsed>;
  onBudget: (bytes: number | null) => void;
}

/** The receive mode among the settings. */
export function ReceiveSettings({ mode, onChoose, data, onBudget }: ReceiveChoice) {
  return (
    <section class="settings-group" aria-labelledby="settings-receive">
      <h3 id="settings-receive">{t('settings.receive')}</h3>
      <ReceiveChoices value={mode} onChoose={onChoose} />
      <BudgetChoices data={data} onChoose={onBudget} />
    </section>
  );
}
