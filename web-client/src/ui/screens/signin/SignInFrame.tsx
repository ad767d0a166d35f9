import type { ComponentChildren } from 'preact';
import { t } from '../../i18n/index.ts';
import { Logo } from '../../kit/Logo.tsx';
import { TilePattern } from '../../kit/TilePattern.tsx';
import { LanguageSwitch } from '../../shell/LanguageSwitch.tsx';
import './SignIn.css';

/** The front door: the school's color on one side, the form on the other; on phones one above the other. */
export function SignInFrame({ children }: { children: ComponentChildren }) {
  return (
    <div class="sign-in">
      <header class="sign-in-cover">
        <TilePattern />
        <div class="sign-in-brand">
          <Logo tone="light" />
          <p class="sign-in-name">{t('app.name')}</p>
          <p class="sign-in-tagline">{t('app.tagline')}</p>
        </div>
      </header>
      <main class="sign-in-main" id="main">
        <LanguageSwitch />
        {children}
      </main>
    </div>
  );
}
