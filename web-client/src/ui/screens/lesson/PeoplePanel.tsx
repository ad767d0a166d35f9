import { useState } from 'preact/hooks';
import { language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { folded } from '../../kit/folded.ts';
import { fullName } from '../../kit/names.ts';
import { PersonName } from '../../kit/PersonName.tsx';
import type { LessonDialog } from './LessonDialogs.tsx';
import { PersonRow } from './PersonRow.tsx';
import type { LessonActions, LessonPerson, LessonView } from './view.ts';
import './PeoplePanel.css';

interface Props {
  view: LessonView;
  actions: LessonActions;
  openDialog: (dialog: LessonDialog) => void;
}

const searchFrom = 12;

/** Who is here, who was cut off, who is expected. */
export function PeoplePanel({ view, actions, openDialog }: Props) {
  const [search, setSearch] = useState('');
  const found = view.people.filter((person) => matches(person, search));
  const staff = found.filter((person) => person.role !== 'student');
  const students = found.filter((person) => person.role === 'student');
  const inOrder = (kind: (person: LessonPerson) => boolean) => students.filter(kind).sort(byName);
  const sections: [string, LessonPerson[]][] = [
    [t('floor.title'), inOrder((person) => person.floor)],
    [t('people.staff'), staff],
    [t('people.present'), inOrder((person) => person.presence === 'present' && !person.floor)],
    [t('people.cut'), inOrder((person) => person.presence === 'cut' && !person.floor)],
    [t('people.gone'), inOrder((person) => person.presence === 'gone' && !person.floor)],
    [t('people.waiting'), inOrder((person) => person.presence === 'expected' && !person.floor)],
  ];
  const props = { view, actions, openDialog };
  return (
    <div class="people" data-scroll>
      {!view.wholeRoster && <p class="people-counts">{t('people.countsOnly', { count: view.studentsPresent })}</p>}
      {view.people.length > searchFrom && (
        <input
          class="people-search"
          type="search"
          dir={search ? 'auto' : undefined}
          aria-label={t('people.search')}
          placeholder={t('people.search')}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      )}
      {found.length === 0 && <p class="muted people-none">{t('people.noMatch')}</p>}
      {sections.map(
        ([title, people]) =>
          people.length > 0 && <PeopleSection key={title} title={title} people={people} {...props} />,
      )}
      {view.keptOut.length > 0 && (
        <section>
          <h2 class="people-title">{t('people.keptOut')}</h2>
          <ul>
            {view.keptOut.map((person) => (
              <li key={person.user} class="person-row">
                <span class="person-words">
                  <PersonName name={person.name} />
                </span>
                <Button kind="quiet" onClick={() => actions.readmit(person.user)}>
                  {t('people.readmit')}
                </Button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function PeopleSection({ title, people, ...props }: Props & { title: string; people: LessonPerson[] }) {
  return (
    <section>
      <h2 class="people-title">
        {title} <span class="numbers">({people.length})</span>
      </h2>
      <ul>
        {people.map((person) => (
          <PersonRow key={person.user} person={person} {...props} />
        ))}
      </ul>
    </section>
  );
}

function matches(person: LessonPerson, search: string): boolean {
  const wanted = folded(search.trim());
  return ['ar', 'fr'].some((lang) => folded(fullName(person.name, lang)).includes(wanted));
}

function byName(a: LessonPerson, b: LessonPerson): number {
  return fullName(a.name, language.value).localeCompare(fullName(b.name, language.value), language.value);
}
