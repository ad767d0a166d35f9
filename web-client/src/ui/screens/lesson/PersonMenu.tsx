import { language, t } from '../../i18n/index.ts';
import { IconButton } from '../../kit/IconButton.tsx';
import { Menu, MenuItem } from '../../kit/Menu.tsx';
import { fullName, isolated } from '../../kit/names.ts';
import type { LessonDialog } from './LessonDialogs.tsx';
import type { LessonActions, LessonPerson, LessonView } from './view.ts';

interface Props {
  person: LessonPerson;
  view: LessonView;
  actions: LessonActions;
  openDialog: (dialog: LessonDialog) => void;
}

/** What who leads the lesson can do with one student. */
export function PersonMenu({ person, view, actions, openDialog }: Props) {
  const label = t('common.menuOf', { name: isolated(fullName(person.name, language.value)) });
  const here = person.presence !== 'expected';
  return (
    <Menu label={label} trigger={(props) => <IconButton {...props} icon="more" label={label} />}>
      {view.rights.leads && here && <LeadItems person={person} actions={actions} />}
      {view.rights.removes && (
        <MenuItem icon="remove" danger onChoose={() => openDialog({ kind: 'remove', person })}>
          {t('act.remove')}
        </MenuItem>
      )}
    </Menu>
  );
}

function LeadItems({ person, actions }: { person: LessonPerson; actions: LessonActions }) {
  const { user } = person;
  return (
    <>
      {!person.floor && (
        <MenuItem icon="floor" onChoose={() => actions.giveFloor(user)}>
          {t('floor.give')}
        </MenuItem>
      )}
      {person.floor && <CameraItems person={person} actions={actions} />}
      {person.microphone === 'on' && (
        <MenuItem icon="microphoneOff" onChoose={() => actions.mute(user)}>
          {t('act.mute')}
        </MenuItem>
      )}
      {person.camera && (
        <MenuItem icon="cameraOff" onChoose={() => actions.stopSource(user, 'camera')}>
          {t('act.stopCamera')}
        </MenuItem>
      )}
      {person.screen && (
        <MenuItem icon="screenOff" onChoose={() => actions.stopSource(user, 'screen')}>
          {t('act.stopScreen')}
        </MenuItem>
      )}
      <hr />
    </>
  );
}

function CameraItems({ person, actions }: { person: LessonPerson; actions: LessonActions }) {
  const { user, cameraGrant } = person;
  return (
    <>
      <MenuItem
        icon="camera"
        checked={cameraGrant === 'teachers'}
        onChoose={() => actions.grantCamera(user, 'teachers')}
      >
        {t('act.cameraTeachers')}
      </MenuItem>
      <MenuItem
        icon="camera"
        checked={cameraGrant === 'everyone'}
        onChoose={() => actions.grantCamera(user, 'everyone')}
      >
        {t('act.cameraEveryone')}
      </MenuItem>
      {cameraGrant && (
        <MenuItem icon="cameraOff" onChoose={() => actions.revokeCamera(user)}>
          {t('act.cameraRevoke')}
        </MenuItem>
      )}
    </>
  );
}
