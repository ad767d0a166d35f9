import { useState } from 'preact/hooks';
import type { SchoolPerson } from '../../../school/api.ts';
import { language, t } from '../../i18n/index.ts';
import { announceNow } from '../../kit/announce.ts';
import { Banner } from '../../kit/Banner.tsx';
import { Button } from '../../kit/Button.tsx';
import { Dialog } from '../../kit/Dialog.tsx';
import { fullName, isolated } from '../../kit/names.ts';
import { TextField } from '../../kit/TextField.tsx';

interface Props {
  person: SchoolPerson;
  onErase: (person: SchoolPerson, login: string) => Promise<boolean>;
  onClose: () => void;
}

/** Asks twice: first it says what goes and what stays, then the sign-in name is written once more. */
export function EraseDialog({ person, onErase, onClose }: Props) {
  const [isSure, setSure] = useState(false);
  const [login, setLogin] = useState('');
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState(false);
  const erase = async () => {
    setBusy(true);
    setFailed(false);
    const erased = await onErase(person, login.trim());
    setBusy(false);
    setFailed(!erased);
    announceNow(t(erased ? 'erase.done' : 'erase.failed'));
    if (erased) onClose();
  };
  const name = isolated(fullName(person.name, language.value) || person.login);
  const isRepeated = login.trim().toLowerCase() === person.login;
  const actions = isSure ? (
    <>
      <Button kind="danger" busy={busy} disabled={!isRepeated || busy} onClick={() => void erase()}>
        {t('erase.now')}
      </Button>
      <Button onClick={onClose}>{t('common.cancel')}</Button>
    </>
  ) : (
    <>
      <Button kind="danger" onClick={() => setSure(true)}>
        {t('erase.continue')}
      </Button>
      <Button onClick={onClose}>{t('common.cancel')}</Button>
    </>
  );
  return (
    <Dialog title={t('erase.title', { name })} onClose={onClose} actions={actions}>
      {failed && <Banner tone="danger">{t('erase.failed')}</Banner>}
      {isSure ? (
        <>
          <Banner tone="warning">{t('erase.noWayBack')}</Banner>
          <TextField
            label={t('erase.repeat', { login: isolated(person.login) })}
            dir="ltr"
            autoComplete="off"
            autoCapitalize="none"
            spellcheck={false}
            value={login}
            onValue={setLogin}
          />
        </>
      ) : (
        <WhatGoes isTeacher={person.roles.includes('teacher')} />
      )}
    </Dialog>
  );
}

function WhatGoes({ isTeacher }: { isTeacher: boolean }) {
  const goes = ['erase.goesAccount', 'erase.goesLists', 'erase.goesWords'] as const;
  const stays = ['erase.staysPlace', 'erase.staysOthers', 'erase.staysCopies'] as const;
  return (
    <>
      <div class="erase-part">
        <h3>{t('erase.goes')}</h3>
        <ul class="erase-list">
          {goes.map((key) => (
            <li key={key}>{t(key)}</li>
          ))}
        </ul>
      </div>
      <div class="erase-part">
        <h3>{t('erase.stays')}</h3>
        <ul class="erase-list">
          {stays.map((key) => (
            <li key={key}>{t(key)}</li>
          ))}
          {isTeacher && <li>{t('erase.staysLessons')}</li>}
        </ul>
      </div>
    </>
  );
}
