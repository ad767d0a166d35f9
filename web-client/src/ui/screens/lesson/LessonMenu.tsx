import { t } from '../../i18n/index.ts';
import { IconButton } from '../../kit/IconButton.tsx';
import { Menu, MenuItem } from '../../kit/Menu.tsx';
import type { LessonDialog } from './LessonDialogs.tsx';
import type { LessonActions, LessonView } from './view.ts';

interface Props {
  view: LessonView;
  actions: LessonActions;
  compact: boolean;
  openDialog: (dialog: LessonDialog) => void;
}

/** The rarer actions. Microphone, hand and chat are never in here. */
export function LessonMenu({ view, actions, compact, openDialog }: Props) {
  return (
    <Menu label={t('common.more')} trigger={(props) => <IconButton {...props} icon="more" label={t('common.more')} />}>
      {view.rights.leads && compact && view.canShareScreen && <ScreenItem view={view} actions={actions} />}
      {view.rights.leads && <LeadItems view={view} actions={actions} openDialog={openDialog} />}
      {view.rights.leads && <hr />}
      <MenuItem icon="settings" onChoose={() => actions.openSettings()}>
        {t('settings.title')}
      </MenuItem>
      <MenuItem icon="flag" onChoose={() => openDialog({ kind: 'report' })}>
        {t('act.report')}
      </MenuItem>
      {view.rights.ends && (
        <>
          <hr />
          <MenuItem icon="leave" onChoose={() => openDialog({ kind: 'leave' })}>
            {t('act.leaveOnly')}
          </MenuItem>
          <MenuItem icon="end" danger onChoose={() => openDialog({ kind: 'end' })}>
            {t('act.endForAll')}
          </MenuItem>
        </>
      )}
    </Menu>
  );
}

function ScreenItem({ view, actions }: { view: LessonView; actions: LessonActions }) {
  const sharing = view.screenTrack !== 'off';
  return (
    <MenuItem icon={sharing ? 'screenOff' : 'screen'} onChoose={() => actions.setScreen(!sharing)}>
      {t(sharing ? 'bar.screenOff' : 'bar.screenOn')}
    </MenuItem>
  );
}

function LeadItems({ view, actions, openDialog }: Omit<Props, 'compact'>) {
  return (
    <>
      <MenuItem icon="microphoneOff" onChoose={() => actions.muteAll()}>
        {t('act.muteAll')}
      </MenuItem>
      <MenuItem
        icon={view.locked ? 'unlock' : 'lock'}
        hint={view.locked ? undefined : t('act.lockHint')}
        onChoose={() => actions.setLocked(!view.locked)}
      >
        {t(view.locked ? 'act.unlock' : 'act.lock')}
      </MenuItem>
      <MenuItem icon="chat" onChoose={() => openDialog({ kind: 'chat_rules' })}>
        {t('chat.settings')}
      </MenuItem>
    </>
  );
}
