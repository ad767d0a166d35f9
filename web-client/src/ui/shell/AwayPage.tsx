import type { Outage } from '../../school/api.ts';
import { t } from '../i18n/index.ts';
import { Button } from '../kit/Button.tsx';
import { EmptyState } from '../kit/EmptyState.tsx';
import { LanguageSwitch } from './LanguageSwitch.tsx';
import './LoadingPage.css';

const words = { unreachable: 'app.awayHelp', unavailable: 'home.unavailable' } as const;

interface Props {
  outage: Outage;
  onRetry: () => void;
}

/** No answer from the site at the start of the page: it is asked again by itself. */
export function AwayPage({ outage, onRetry }: Props) {
  return (
    <main class="loading-page" id="main">
      <LanguageSwitch />
      <EmptyState icon="network" title={t('app.awayTitle')} hint={t(words[outage])}>
        <Button kind="outline" onClick={onRetry}>
          {t('common.retry')}
        </Button>
      </EmptyState>
    </main>
  );
}
