import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { IconButton } from '../../kit/IconButton.tsx';
import { language } from '../../i18n/index.ts';
import { fullName, isolated } from '../../kit/names.ts';
import { PersonName } from '../../kit/PersonName.tsx';
import { useNow } from '../../kit/useNow.ts';
import type { LessonActions, LessonView } from './view.ts';
import './HandQueue.css';

/** Raised hands in the order they came, with the time they wait; one tap gives the floor. */
export function HandQueue({ view, actions }: { view: LessonView; actions: LessonActions }) {
  const now = useNow(1_000, view.clockOffsetMs);
  if (view.hands.length === 0) return null;
  return (
    <section class="hands" aria-labelledby="hands-title" id="hands" tabIndex={-1}>
      <header class="hands-head">
        <h2 id="hands-title">
          {t('hands.title')} <span class="numbers">({view.hands.length})</span>
        </h2>
        <Button kind="quiet" onClick={() => actions.lowerAllHands()}>
          {t('hands.lowerAll')}
        </Button>
      </header>
      <ol class="hands-list">
        {view.hands.map(({ person, since }, index) => (
          <li key={person.user} class="hand-row">
            <span class="hand-place numbers" aria-hidden="true">
              {index + 1}
            </span>
            <span class="hand-name">
              <PersonName name={person.name} />
              {person.presence === 'cut' && <span class="hand-wait">{t('people.cutNow')}</span>}
              {person.presence !== 'cut' && since !== undefined && <Waited ms={now - since} />}
            </span>
            <Button
              kind={index === 0 ? 'primary' : 'outline'}
              aria-label={t('floor.giveTo', { name: isolated(fullName(person.name, language.value)) })}
              onClick={() => actions.giveFloor(person.user)}
            >
              {t('floor.giveShort')}
            </Button>
            <IconButton
              icon="close"
              label={t('hands.lowerOf', { name: isolated(fullName(person.name, language.value)) })}
              onClick={() => actions.lowerHand(person.user)}
            />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Waited({ ms }: { ms: number }) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  return (
    <span class="hand-wait numbers" dir="ltr">
      {text}
    </span>
  );
}
