import { useState } from 'preact/hooks';
import type { RemovalReason } from '../../../protocol/generated.ts';
import { language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Choices } from '../../kit/Choices.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { fullName, isolated } from '../../kit/names.ts';
import { Switch } from '../../kit/Switch.tsx';
import { TextArea } from '../../kit/TextArea.tsx';
import type { LessonActions, LessonPerson } from './view.ts';

interface Props {
  person: LessonPerson;
  actions: LessonActions;
  close: () => void;
}

const reasons: readonly RemovalReason[] = ['disturbing', 'insulting', 'wrong_class', 'impersonation', 'other'];
const noteCharacters = 500;

/** Puts somebody out, with a reason that the director reads. */
export function RemoveDialog({ person, actions, close }: Props) {
  const [reason, setReason] = useState<RemovalReason>('disturbing');
  const [note, setNote] = useState('');
  const [keepOut, setKeepOut] = useState(false);
  const remove = () => {
    actions.remove(person.user, reason, note.trim(), keepOut);
    close();
  };
  return (
    <Dialog
      title={t('remove.title', { name: isolated(fullName(person.name, language.value)) })}
      onClose={close}
      actions={
        <>
          <Button kind="danger" icon="remove" onClick={remove}>
            {t('remove.confirm')}
          </Button>
          <Button onClick={close}>{t('common.cancel')}</Button>
        </>
      }
    >
      <Choices
        label={t('remove.reason')}
        layout="list"
        value={reason}
        choices={reasons.map((value) => ({ value, label: t(`reason.${value}`) }))}
        onChoose={setReason}
      />
      <TextArea label={t('remove.note')} value={note} maxLength={noteCharacters} rows={2} onValue={setNote} />
      <Switch checked={keepOut} onChange={setKeepOut}>
        {t('remove.keepOut')}
      </Switch>
    </Dialog>
  );
}
