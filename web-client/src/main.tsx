/** Starts the browser app: language and looks first, then who is signed in, then the page. */
import { render } from 'preact';
import { followTabs, recallAccount } from './app/account.ts';
import { forgetDay } from './app/day.ts';
import { forgetPeople } from './app/people.ts';
import { followRoute } from './app/route.ts';
import { keepShell } from './app/shell.ts';
import { App } from './ui/App.tsx';
import { startLanguage, t } from './ui/i18n/index.ts';
import { refuseDroppedFiles } from './ui/shell/keepPage.ts';
import { applyPreferences } from './ui/shell/preferences.ts';
import './ui/styles/index.css';

applyPreferences();
followRoute();
refuseDroppedFiles();
followTabs(() => {
  forgetDay();
  forgetPeople();
});
void recallAccount();
startLanguage().then(draw, () => dispatchEvent(new Event('incomplete')));

function draw(): void {
  const root = document.getElementById('app');
  if (root && isNewEnough()) render(<App />, root);
  else if (root) root.textContent = t('app.oldBrowser');
  keepShell();
}

/** Menus and windows stand on these; Chromium 114, Firefox 125, Safari 17 have them. */
function isNewEnough(): boolean {
  return 'showPopover' in HTMLElement.prototype && 'HTMLDialogElement' in window;
}
