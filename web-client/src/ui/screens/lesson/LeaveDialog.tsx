import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import type { LessonActions, LessonView } from './view.ts';

interface Props {
  view: LessonView;
  actions: LessonActions;
  /** Ending for everybody is asked here too, with leaving alone beside it. */
  ending: boolean;
  close: () => void;
}

/** Asked before going: the way back stays open, unless the lesson ends for everybody. */
export function LeaveDialog({ view, actions, ending, close }: Props) {
  const go = (act: () => void) => () => {
    act();
    close();
  };
  const end = (
    <Button kind="danger" icon="end" onClick={go(actions.end)}>
      {t('end.confirm')}
    </Button>
  );
  const leave = (
    <Button kind={ending ? 'outline' : 'danger'} icon="leave" onClick={go(actions.leave)}>
      {t(ending ? 'act.leaveOnly' : 'bar.leave')}
    </Button>
  );
  return (
    <Dialog
      title={t(ending ? 'end.title' : 'leave.title')}
      onClose={close}
      actions={
        <>
          {ending && end}
          {leave}
          <Button kind={ending ? 'quiet' : 'outline'} onClick={close}>
            {t('common.cancel')}
          </Button>
        </>
      }
    >
      <p>{t(ending ? 'end.body' : view.rights.leads && view.begun ? 'leave.bodyTeacher' : 'leave.body')}</p>
    </Dialog>
  );
}
