import { useEffect } from 'preact/hooks';
import { fleet, followFleet, refreshFleet } from '../../app/fleet.ts';
import { t } from '../i18n/index.ts';
import { Banner } from '../kit/Banner.tsx';
import { Button } from '../kit/Button.tsx';
import { EmptyState } from '../kit/EmptyState.tsx';
import { Spinner } from '../kit/Spinner.tsx';
import { FleetBoard } from '../screens/fleet/FleetBoard.tsx';

/** The administrator's part of home: all servers, asked again and again. */
export function FleetRoute() {
  useEffect(followFleet, []);
  const { seen, failed } = fleet.value;
  if (!seen && !failed) return <Spinner label={t('app.loading')} />;
  if (!seen) {
    return (
      <div class="card">
        <EmptyState icon="network" title={t('fleet.loadFailed')} hint={t('signIn.noAnswer')}>
          <Button onClick={() => void refreshFleet()}>{t('common.retry')}</Button>
        </EmptyState>
      </div>
    );
  }
  return (
    <>
      {failed && <Banner tone="warning">{t('fleet.stale')}</Banner>}
      <FleetBoard fleet={seen} />
    </>
  );
}
