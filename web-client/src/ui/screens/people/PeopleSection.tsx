import { useState } from 'preact/hooks';
import type { SchoolPeople, SchoolPerson } from '../../../school/api.ts';
import { language, t } from '../../i18n/index.ts';
import { Banner } from '../../kit/Banner.tsx';
import { Button } from '../../kit/Button.tsx';
import { EmptyState } from '../../kit/EmptyState.tsx';
import { fullName } from '../../kit/names.ts';
import { PersonName } from '../../kit/PersonName.tsx';
import { TextField } from '../../kit/TextField.tsx';
import { EraseDialog } from './EraseDialog.tsx';
import { matching } from './search.ts';
import './People.css';

/** A class is shown whole; more than that is narrowed down. */
const shownAtMost = 40;

interface Props {
  people: SchoolPeople | 'failed' | undefined;
  /** Asked for when somebody begins to search. */
  onWanted: () => void;
  /** False: nothing was erased. */
  onErase: (person: SchoolPerson, login: string) => Promise<boolean>;
}

const roleWords = { student: 'accounts.student', teacher: 'accounts.teacher', guardian: 'accounts.guardian' } as const;

/** Finds people of the school, to erase them. */
export function PeopleSection({ people, onWanted, onErase }: Props) {
  const [wanted, setWanted] = useState('');
  const [chosen, setChosen] = useState<SchoolPerson>();
  const search = (text: string) => {
    if (people === undefined || people === 'failed') onWanted();
    setWanted(text);
  };
  const known = people === undefined || people === 'failed' ? undefined : people;
  const found = known && wanted.trim() ? matching(known.people, wanted) : [];
  return (
    <section class="home-section" aria-labelledby="people">
      <h2 id="people">{t('accounts.title')}</h2>
      <p class="muted small">{t('accounts.hint')}</p>
      {known && known.erasing > 0 && <Banner>{t('accounts.erasing', { count: known.erasing })}</Banner>}
      <TextField label={t('accounts.search')} name="search" autoComplete="off" value={wanted} onValue={search} />
      {people === 'failed' && (
        <EmptyState icon="warning" title={t('accounts.loadFailed')}>
          <Button onClick={onWanted}>{t('common.retry')}</Button>
        </EmptyState>
      )}
      {known && wanted.trim() !== '' && found.length === 0 && <p class="muted">{t('accounts.none')}</p>}
      <ul class="people-found">
        {found.slice(0, shownAtMost).map((person) => (
          <li key={person.user} class="people-row">
            <div>
              <div class="people-name">
                <PersonName name={person.name} />
              </div>
              <div class="muted small">{describe(person)}</div>
            </div>
            <Button onClick={() => setChosen(person)} aria-label={`${t('erase.open')} ${nameOf(person)}`}>
              {t('erase.open')}
            </Button>
          </li>
        ))}
      </ul>
      {found.length > shownAtMost && <p class="muted">{t('accounts.more', { count: found.length - shownAtMost })}</p>}
      {chosen && <EraseDialog person={chosen} onErase={onErase} onClose={() => setChosen(undefined)} />}
    </section>
  );
}

const nameOf = (person: SchoolPerson) => fullName(person.name, language.value) || person.login;

function describe(person: SchoolPerson) {
  const roles = person.roles.flatMap((role) =>
    role in roleWords ? [t(roleWords[role as keyof typeof roleWords])] : [],
  );
  return (
    <>
      {roles.join(' · ')}
      {[...person.groups, person.login].map((word) => (
        <>
          {' · '}
          <bdi dir="ltr">{word}</bdi>
        </>
      ))}
    </>
  );
}
