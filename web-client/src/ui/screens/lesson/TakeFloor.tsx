import { language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { fullName, isolated } from '../../kit/names.ts';
import type { LessonActions, LessonPerson, LessonView } from './view.ts';

interface Props {
  person: LessonPerson;
  view: LessonView;
  actions: LessonActions;
  kind?: 'outline' | 'stage';
}

/** Takes the floor back from who has it: one tap, beside the speaker. */
export function TakeFloor({ person, view, actions, kind = 'outline' }: Props) {
  if (!view.rights.leads || !person.floor) return null;
  return (
    <Button
      class="take-floor"
      kind={kind}
      aria-label={t('floor.takeFrom', { name: isolated(fullName(person.name, language.value)) })}
      onClick={() => actions.takeFloor(person.user)}
    >
      {t('floor.take')}
    </Button>
  );
}
