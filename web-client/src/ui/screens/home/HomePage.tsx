import type { ComponentChildren } from 'preact';
import type { Localized, Name } from '../../../protocol/generated.ts';
import { formatDate, language, t } from '../../i18n/index.ts';
import { givenName, isolated } from '../../kit/names.ts';
import { AppHeader } from '../../shell/AppHeader.tsx';
import './HomePage.css';

interface Props {
  name: Name;
  school: Localized;
  now: number;
  onSettings: () => void;
  onSignOut: () => void;
  children: ComponentChildren;
}

/** Greeting and date over what the role comes for. */
export function HomePage({ name, school, now, onSettings, onSignOut, children }: Props) {
  return (
    <div class="home">
      <a class="skip-link" href="#main">
        {t('common.skip')}
      </a>
      <AppHeader school={school} onSettings={onSettings} onSignOut={onSignOut} />
      <main class="home-main" id="main" tabIndex={-1}>
        <header class="home-greeting">
          <h1>{greeting(name, now)}</h1>
          <p class="muted">{formatDate(now)}</p>
        </header>
        {children}
      </main>
    </div>
  );
}

function greeting(name: Name, now: number): string {
  const hour = new Date(now).getHours();
  const person = { name: isolated(givenName(name, language.value)) };
  if (hour < 12) return t('home.greetingMorning', person);
  return hour < 18 ? t('home.greetingAfternoon', person) : t('home.greetingEvening', person);
}
