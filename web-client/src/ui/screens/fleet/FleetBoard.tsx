import type { Fleet } from '../../../school/api.ts';
import { formatNumber, t } from '../../i18n/index.ts';
import { ServerCard } from './ServerCard.tsx';
import './FleetBoard.css';

/** What goes on on all servers, then each of them. */
export function FleetBoard({ fleet }: { fleet: Fleet }) {
  const figures = [
    [t('fleet.lessons'), fleet.lessons],
    [t('fleet.students'), fleet.students],
    [t('fleet.withoutTeacher'), fleet.lessons_without_teacher],
  ] as const;
  return (
    <>
      <section class="home-section" aria-labelledby="fleet-now">
        <h2 id="fleet-now">{t('fleet.now')}</h2>
        <dl class="fleet-figures">
          {figures.map(([label, value]) => (
            <div key={label} class="card card-small">
              <dt class="muted small">{label}</dt>
              <dd class="numbers">{formatNumber(value)}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section class="home-section" aria-labelledby="fleet-servers">
        <h2 id="fleet-servers">{t('fleet.servers', { count: fleet.servers.length })}</h2>
        <ul class="card-list">
          {fleet.servers.map((server, index) => (
            <ServerCard key={`${server.name} ${server.version} ${index}`} server={server} />
          ))}
        </ul>
      </section>
    </>
  );
}
