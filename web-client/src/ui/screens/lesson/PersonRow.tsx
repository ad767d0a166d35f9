import { t } from '../../i18n/index.ts';
import { Avatar } from '../../kit/Avatar.tsx';
import { Icon } from '../../kit/Icon.tsx';
import type { IconName } from '../../kit/iconPaths.ts';
import { language } from '../../i18n/index.ts';
import { initials } from '../../kit/names.ts';
import { PersonName } from '../../kit/PersonName.tsx';
import type { LessonDialog } from './LessonDialogs.tsx';
import { PersonMenu } from './PersonMenu.tsx';
import { TakeFloor } from './TakeFloor.tsx';
import type { LessonActions, LessonPerson, LessonView } from './view.ts';

interface Props {
  person: LessonPerson;
  view: LessonView;
  actions: LessonActions;
  openDialog: (dialog: LessonDialog) => void;
}

/** One person: name, state in words and signs, and the menu for who leads the lesson. */
export function PersonRow({ person, view, actions, openDialog }: Props) {
  const handUp = view.hands.some((hand) => hand.person.user === person.user);
  const manages = (view.rights.leads || view.rights.removes) && !person.me && person.role === 'student';
  return (
    <li
      class={person.presence === 'expected' || person.presence === 'gone' ? 'person-row person-row-away' : 'person-row'}
    >
      <Avatar
        seed={person.user}
        initials={initials(person.name, language.value)}
        size="small"
        dim={person.presence !== 'present'}
      />
      <span class="person-words">
        <span class="person-name">
          <PersonName name={person.name} /> {person.me && <span class="muted">{t('common.you')}</span>}
        </span>
        <span class="person-state">{stateOf(person)}</span>
      </span>
      {handUp && <Sign icon="hand" label={t('people.handUp')} tone="hand" />}
      {person.camera && <Sign icon="camera" label={t('people.cameraOn')} />}
      {person.screen && <Sign icon="screen" label={t('source.screen')} />}
      {person.microphone === 'on' && <Sign icon="microphone" label={t('people.microphoneOn')} tone="on" />}
      {person.microphone === 'muted' && <Sign icon="microphoneOff" label={t('people.microphoneOff')} />}
      <TakeFloor person={person} view={view} actions={actions} />
      {manages && <PersonMenu person={person} view={view} actions={actions} openDialog={openDialog} />}
    </li>
  );
}

function stateOf(person: LessonPerson): string {
  if (person.presence === 'cut') return t('people.cutNow');
  if (person.presence === 'gone') return t('people.goneNow');
  if (person.role !== 'student') return t(`role.${person.role}`);
  if (person.presence === 'expected') return t('people.expectedNow');
  return person.floor ? t('floor.has') : t('people.presentNow');
}

function Sign({ icon, label, tone }: { icon: IconName; label: string; tone?: 'on' | 'hand' }) {
  return (
    <span class={tone ? `person-sign person-sign-${tone}` : 'person-sign'} title={label}>
      <Icon name={icon} size="small" />
      <span class="sr-only">{label}</span>
    </span>
  );
}
