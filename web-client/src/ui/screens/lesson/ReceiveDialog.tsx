import { t } from '../../i18n/index.ts';
import { Dialog } from '../../kit/Dialog.tsx';
import { BudgetChoices } from './BudgetChoices.tsx';
import { ReceiveChoices } from './ReceiveChoices.tsx';
import type { LessonActions, LessonView } from './view.ts';

interface Props {
  view: LessonView;
  actions: LessonActions;
  close: () => void;
}

/** What to receive, with what it costs and what was used so far. */
export function ReceiveDialog({ view, actions, close }: Props) {
  return (
    <Dialog title={t('receive.title')} onClose={close}>
      <p class="muted">{t('receive.hint')}</p>
      <ReceiveChoices value={view.receiveMode} onChoose={(mode) => actions.setReceiveMode(mode)} />
      <BudgetChoices data={view.data} onChoose={(bytes) => actions.setBudget(bytes)} />
    </Dialog>
  );
}
