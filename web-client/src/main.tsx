import { render } from 'preact';
import { startLanguage, t } from './ui/i18n/index.ts';
import { LiveRegions } from './ui/kit/LiveRegions.tsx';
import { applyPreferences } from './ui/shell/preferences.ts';
import { SignIn } from './ui/screens/signin/SignIn.tsx';
import './ui/styles/index.css';

applyPreferences();
await startLanguage();
document.title = t('app.name');
render(
  <>
    <SignIn onSignIn={() => {}} />
    <LiveRegions />
  </>,
  document.getElementById('app') as HTMLElement,
);
