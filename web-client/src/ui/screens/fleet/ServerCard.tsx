import type { FleetServer } from '../../../school/api.ts';
import { formatNumber, t } from '../../i18n/index.ts';
import { Badge } from '../../kit/Badge.tsx';
import { ShareBar } from '../../kit/ShareBar.tsx';

const states = {
  serving: { tone: 'ok', icon: 'check', words: 'fleet.serving' },
  draining: { tone: 'warning', icon: 'clock', words: 'fleet.draining' },
  silent: { tone: 'danger', icon: 'warning', words: 'fleet.silent' },
} as const;

/** One server: does it serve, how full is it, who is on it. */
export function ServerCard({ server }: { server: FleetServer }) {
  const { tone, icon, words } = states[server.state];
  const percent = formatNumber(server.load / 1_000, { style: 'percent', maximumFractionDigits: 1 });
  const facts = [
    [t('fleet.lessons'), formatNumber(server.lessons)],
    [t('fleet.people'), formatNumber(server.people)],
    [t('fleet.version'), <bdi dir="ltr">{server.version}</bdi>],
    [t('fleet.heard'), t('fleet.heardAgo', { seconds: Math.round(server.silent_ms / 1_000) })],
  ] as const;
  return (
    <li class="card card-small">
      <div class="card-top">
        <h3>{server.name ? <bdi dir="ltr">{server.name}</bdi> : t('fleet.thisServer')}</h3>
        <Badge tone={tone} icon={icon}>
          {t(words)}
        </Badge>
      </div>
      <ShareBar share={server.load / 1_000}>{t('fleet.load', { percent })}</ShareBar>
      <dl class="server-facts">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt class="muted">{label}</dt>
            <dd class="numbers">{value}</dd>
          </div>
        ))}
      </dl>
    </li>
  );
}
