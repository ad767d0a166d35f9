import { language, t } from '../i18n/index.ts';
import { IconButton } from '../kit/IconButton.tsx';
import { Logo } from '../kit/Logo.tsx';
import { localized } from '../kit/names.ts';
import type { Localized } from '../../protocol/generated.ts';
import './AppHeader.css';

interface Props {
  school: Localized;
  onSettings: () => void;
  onSignOut: () => void;
}

/** The line at the top of every page outside a lesson. */
export function AppHeader({ school, onSettings, onSignOut }: Props) {
  return (
    <header class="app-header">
      <div class="app-header-inner">
        <Logo />
        <p class="app-header-name">
          <strong>{t('app.name')}</strong>
          <bdi class="muted small">{localized(school, language.value)}</bdi>
        </p>
        <IconButton icon="settings" label={t('home.settings')} onClick={onSettings} />
        <IconButton icon="leave" label={t('home.signOut')} onClick={onSignOut} />
      </div>
    </header>
  );
}
