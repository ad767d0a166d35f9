import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import type { LessonActions, LessonView } from './view.ts';

interface Props {
  view: LessonView;
  actions: LessonActions;
  close: () => void;
}

/** Leaving: the way back stays open, and the dialog says so. */
export function LeaveDialog({ view, actions, close }: Props) {
  const leave = () => {
    actions.leave();
    close();
  };
  return (
    <Dialog
      title={t('leave.title')}
      onClose={close}
      actions={
        <>
          <Button kind="danger" icon="leave" onClick={leave}>
            {t('bar.leave')}
          </Button>
          <Button onClick={close}>{t('common.cancel')}</Button>
        </>
      }
    >
      <p>{t(view.rights.leads ? 'leave.bodyTeacher' : 'leave.body')}</p>
    </Dialog>
  );
}
