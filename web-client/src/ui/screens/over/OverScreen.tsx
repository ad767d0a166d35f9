import { language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Icon } from '../../kit/Icon.tsx';
import type { IconName } from '../../kit/iconPaths.ts';
import { Logo } from '../../kit/Logo.tsx';
import { LanguageSwitch } from '../../shell/LanguageSwitch.tsx';
import './Over.css';

/** Why somebody is not in the lesson. */
export type OverReason =
  | 'ended_chosen'
  | 'ended_by_me'
  | 'ended_no_adult'
  | 'ended_time'
  | 'left'
  | 'removed'
  | 'kept_out'
  | 'withdrawn'
  | 'locked'
  | 'replaced'
  | 'not_admitted'
  | 'too_early'
  | 'no_such_lesson'
  | 'server_away'
  | 'version'
  | 'problem';

interface Props {
  reason: OverReason;
  /** Enters again; offered only where that can work. */
  onEnter: () => void;
  onHome: () => void;
}

type MainButton = 'return' | 'retry' | 'here' | 'reload' | 'none';

interface Words {
  icon: IconName;
  title: string;
  help: string;
  main: MainButton;
}

const wordsOf: Record<OverReason, () => Words> = {
  ended_chosen: () => ({ icon: 'check', title: t('over.endedTitle'), help: t('over.endedChosen'), main: 'none' }),
  ended_by_me: () => ({ icon: 'check', title: t('over.endedTitle'), help: t('over.endedByMe'), main: 'none' }),
  ended_no_adult: () => ({ icon: 'clock', title: t('over.endedTitle'), help: t('over.endedNoAdult'), main: 'none' }),
  ended_time: () => ({ icon: 'clock', title: t('over.endedTitle'), help: t('over.endedTime'), main: 'none' }),
  left: () => ({ icon: 'leave', title: t('over.leftTitle'), help: t('over.leftHelp'), main: 'return' }),
  removed: () => ({ icon: 'remove', title: t('over.removedTitle'), help: t('over.removedHelp'), main: 'return' }),
  kept_out: () => ({ icon: 'shield', title: t('over.keptOutTitle'), help: t('over.keptOutHelp'), main: 'none' }),
  withdrawn: () => ({ icon: 'shield', title: t('over.withdrawnTitle'), help: t('over.withdrawnHelp'), main: 'none' }),
  locked: () => ({ icon: 'lock', title: t('over.lockedTitle'), help: t('over.lockedHelp'), main: 'retry' }),
  replaced: () => ({ icon: 'people', title: t('over.replacedTitle'), help: t('over.replacedHelp'), main: 'here' }),
  not_admitted: () => ({
    icon: 'shield',
    title: t('over.notAdmittedTitle'),
    help: t('over.notAdmittedHelp'),
    main: 'none',
  }),
  too_early: () => ({ icon: 'clock', title: t('over.tooEarlyTitle'), help: t('home.tooEarly'), main: 'retry' }),
  no_such_lesson: () => ({
    icon: 'search',
    title: t('over.noSuchTitle'),
    help: t('over.notAdmittedHelp'),
    main: 'none',
  }),
  server_away: () => ({
    icon: 'network',
    title: t('over.serverAwayTitle'),
    help: t('over.serverAwayHelp'),
    main: 'retry',
  }),
  version: () => ({ icon: 'info', title: t('over.versionTitle'), help: t('over.versionHelp'), main: 'reload' }),
  problem: () => ({ icon: 'warning', title: t('over.problemTitle'), help: t('over.problemHelp'), main: 'retry' }),
};

/** Out of the lesson: why, what to do next, and the button that does it. */
export function OverScreen({ reason, onEnter, onHome }: Props) {
  const { icon, title, help, main } = wordsOf[reason]();
  return (
    <div class="over">
      <header class="over-head">
        <Logo />
        <LanguageSwitch />
      </header>
      <main class="over-card" id="main" lang={language.value}>
        <span class="over-icon">
          <Icon name={icon} size="huge" />
        </span>
        <h1>{title}</h1>
        <p>{help}</p>
        <div class="over-actions">
          <MainAction main={main} onEnter={onEnter} />
          <Button kind={main === 'none' ? 'primary' : 'quiet'} size="large" onClick={onHome}>
            {t('common.backHome')}
          </Button>
        </div>
      </main>
    </div>
  );
}

function MainAction({ main, onEnter }: { main: MainButton; onEnter: () => void }) {
  const props = { kind: 'primary', size: 'large' } as const;
  switch (main) {
    case 'return':
      return (
        <Button {...props} onClick={onEnter}>
          {t('home.resume')}
        </Button>
      );
    case 'retry':
      return (
        <Button {...props} onClick={onEnter}>
          {t('common.retry')}
        </Button>
      );
    case 'here':
      return (
        <Button {...props} onClick={onEnter}>
          {t('over.continueHere')}
        </Button>
      );
    case 'reload':
      return (
        <Button {...props} onClick={() => location.reload()}>
          {t('common.reload')}
        </Button>
      );
    default:
      return null;
  }
}
