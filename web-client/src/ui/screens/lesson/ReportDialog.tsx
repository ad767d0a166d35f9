import { useState } from 'preact/hooks';
import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { TextArea } from '../../kit/TextArea.tsx';
import type { LessonActions } from './view.ts';

interface Props {
  actions: LessonActions;
  close: () => void;
}

const noteCharacters = 500;

/** Everybody can tell the director; the class does not see it. */
export function ReportDialog({ actions, close }: Props) {
  const [note, setNote] = useState('');
  const send = () => {
    actions.report(note.trim());
    close();
  };
  return (
    <Dialog
      title={t('report.title')}
      onClose={close}
      actions={
        <>
          <Button kind="primary" icon="flag" disabled={note.trim() === ''} onClick={send}>
            {t('report.send')}
          </Button>
          <Button onClick={close}>{t('common.cancel')}</Button>
        </>
      }
    >
      <p>{t('report.body')}</p>
      <TextArea label={t('report.note')} value={note} maxLength={noteCharacters} rows={4} onValue={setNote} />
    </Dialog>
  );
}
