import { useState } from 'preact/hooks';
import { language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { localized } from '../../kit/names.ts';
import { Select } from '../../kit/Select.tsx';
import type { OwnGroup } from './today.ts';

interface Props {
  groups: readonly OwnGroup[];
  busy?: boolean;
  /** There is no lesson in the timetable today: this is what the teacher came for. */
  only?: boolean;
  onStart: (group: string, subject: string | undefined) => void;
}

/** A lesson at once, with any own class, outside the timetable. */
export function StartNow({ groups, busy, only, onStart }: Props) {
  const [chosenGroup, setGroup] = useState<string>();
  const [chosenSubject, setSubject] = useState<string>();
  const group = groups.find((each) => each.group === chosenGroup) ?? groups[0];
  const subject = group?.subjects.find((each) => each.subject === chosenSubject) ?? group?.subjects[0];
  if (!group) return null;
  return (
    <section class="card" aria-labelledby="start-now">
      <div>
        <h2 id="start-now">{t('home.startNow')}</h2>
        <p class="muted small">{t('home.startNowHint')}</p>
      </div>
      <Select
        label={t('home.startNowClass')}
        value={group.group}
        options={groups.map((each) => ({ value: each.group, label: each.name }))}
        onChoose={setGroup}
      />
      {group.subjects.length > 1 && subject && (
        <Select
          label={t('home.startNowSubject')}
          value={subject.subject}
          options={group.subjects.map((each) => ({ value: each.subject, label: localized(each.name, language.value) }))}
          onChoose={setSubject}
        />
      )}
      <Button
        kind={only ? 'primary' : 'outline'}
        icon="play"
        wide
        busy={busy}
        onClick={() => onStart(group.group, subject?.subject)}
      >
        {t('home.startNowConfirm')}
      </Button>
    </section>
  );
}
