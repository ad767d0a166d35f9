import { t } from '../i18n/index.ts';
import { Spinner } from '../kit/Spinner.tsx';
import './LoadingPage.css';

/** A page that is on its way: in the middle of the screen, with a heading for who listens. */
export function LoadingPage({ label }: { label: string }) {
  return (
    <main class="loading-page">
      <h1 class="sr-only">{t('app.name')}</h1>
      <Spinner label={label} />
    </main>
  );
}
