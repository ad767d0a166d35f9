import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import type { LessonActions } from './view.ts';

interface Props {
  actions: LessonActions;
  close: () => void;
}

/** Ending for everybody is asked twice; leaving alone is offered beside it. */
export function EndDialog({ actions, close }: Props) {
  const end = () => {
    actions.end();
    close();
  };
  const leave = () => {
    actions.leave();
    close();
  };
  return (
    <Dialog
      title={t('end.title')}
      onClose={close}
      actions={
        <>
          <Button kind="danger" icon="end" onClick={end}>
            {t('end.confirm')}
          </Button>
          <Button icon="leave" onClick={leave}>
            {t('act.leaveOnly')}
          </Button>
          <Button kind="quiet" onClick={close}>
            {t('common.cancel')}
          </Button>
        </>
      }
    >
      <p>{t('end.body')}</p>
    </Dialog>
  );
}
