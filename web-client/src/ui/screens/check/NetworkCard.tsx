import { formatNumber, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Icon } from '../../kit/Icon.tsx';
import type { CheckActions, CheckView, NetworkResult, NetworkVerdict } from './view.ts';

const words: Record<
  NetworkVerdict,
  'check.networkGood' | 'check.networkFair' | 'check.networkPoor' | 'check.networkBlocked'
> = {
  good: 'check.networkGood',
  fair: 'check.networkFair',
  poor: 'check.networkPoor',
  blocked: 'check.networkBlocked',
};

/** Five seconds of measuring, and a verdict in plain words. */
export function NetworkCard({ view, actions }: { view: CheckView; actions: CheckActions }) {
  const { network } = view;
  return (
    <section class="check-card" aria-labelledby="check-network">
      <h2 id="check-network">
        <Icon name="network" />
        {t('check.network')}
      </h2>
      <div role="status">
        {network === 'running' && <p class="check-measuring">{t('check.networkRunning')}</p>}
        {typeof network === 'object' && <Verdict result={network} />}
      </div>
      {network !== 'running' && (
        <Button onClick={() => actions.measureNetwork()}>
          {t(network === 'idle' ? 'check.networkRun' : 'common.retry')}
        </Button>
      )}
    </section>
  );
}

function Verdict({ result }: { result: NetworkResult }) {
  const { verdict, downMbit, upMbit, delayMs } = result;
  return (
    <div class={`check-verdict check-verdict-${verdict}`}>
      <p>
        <Icon name={verdict === 'good' ? 'check' : 'warning'} size="small" />
        {t(words[verdict])}
      </p>
      {downMbit !== undefined && upMbit !== undefined && delayMs !== undefined && (
        <p class="small">
          {t('check.networkDetail', {
            down: oneDecimal(downMbit),
            up: oneDecimal(upMbit),
            ms: formatNumber(Math.round(delayMs)),
          })}
        </p>
      )}
    </div>
  );
}

function oneDecimal(value: number): string {
  return formatNumber(value, { maximumFractionDigits: 1 });
}
