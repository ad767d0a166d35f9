import type { ReadonlySignal } from '@preact/signals';
import { language, t } from '../../i18n/index.ts';
import { Avatar } from '../../kit/Avatar.tsx';
import { Icon } from '../../kit/Icon.tsx';
import { fullName, initials, isolated } from '../../kit/names.ts';
import { PersonName } from '../../kit/PersonName.tsx';
import { useCameraDemand } from './cameraDemand.ts';
import { Video } from './Video.tsx';
import type { LessonPerson } from './view.ts';
import './PersonTile.css';

interface Props {
  person: LessonPerson;
  stream: MediaStream | undefined;
  /** Whether this tile may show moving pictures; others show initials. */
  live: boolean;
  speaking: ReadonlySignal<ReadonlySet<string>>;
  large?: boolean;
}

/** A face or initials, with the name and whether the person speaks. */
export function PersonTile({ person, stream, live, speaking, large }: Props) {
  const wanted = live && person.camera && !person.me;
  const element = useCameraDemand<HTMLDivElement>(person.user, wanted);
  const speaks = speaking.value.has(person.user) && person.microphone === 'on';
  const name = fullName(person.name, language.value);
  const classes = ['tile', large && 'tile-large', speaks && 'tile-speaking'];
  return (
    <div ref={element} class={classes.filter(Boolean).join(' ')}>
      <Avatar
        seed={person.user}
        initials={initials(person.name, language.value)}
        size={large ? 'huge' : 'medium'}
        dim={person.presence !== 'present'}
      />
      {live && person.camera && stream && (
        <Video stream={stream} mirrored={person.me} label={t('lesson.cameraOf', { name: isolated(name) })} />
      )}
      <p class="tile-name">
        {person.presence === 'cut' && <Icon name="cut" size="small" />}
        {person.microphone === 'muted' && <Icon name="microphoneOff" size="small" />}
        {speaks && <Icon name="speaker" size="small" />}
        <span class="tile-name-text">
          <PersonName name={person.name} /> {person.me && t('common.you')}
        </span>
        <span class="sr-only">{speaks ? t('lesson.speaking') : ''}</span>
      </p>
    </div>
  );
}
