import type { Fleet } from '../../../school/api.ts';
import { formatNumber, t } from '../../i18n/index.ts';
import { Banner } from '../../kit/Banner.tsx';
import { LinkList } from './LinkList.tsx';
import { ServerCard } from './ServerCard.tsx';
import { troubleWords } from './troubleWords.ts';
import './FleetBoard.css';

/** What is wrong, what goes on on all servers, each of them, and the links between them. */
export function FleetBoard({ fleet }: { fleet: Fleet }) {
  const figures = [
    [t('fleet.lessons'), fleet.lessons],
    [t('fleet.students'), fleet.students],
    [t('fleet.withoutTeacher'), fleet.lessons_without_teacher],
    [t('fleet.packing'), fleet.packing_due],
  ] as const;
  const isFleet = fleet.servers.length > 1;
  return (
    <>
      <section class="home-section" aria-labelledby="fleet-trouble">
        <h2 id="fleet-trouble">{t('fleet.trouble')}</h2>
        {fleet.troubles.length === 0 && <Banner tone="ok">{t('fleet.allWell')}</Banner>}
        <ul class="trouble-list">
          {fleet.troubles.map((trouble) => (
            <li key={`${trouble.kind} ${trouble.server} ${trouble.other}`}>
              <Banner tone={trouble.severity}>{troubleWords(trouble)}</Banner>
            </li>
          ))}
        </ul>
      </section>
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
            <ServerCard key={`${server.name} ${server.version} ${index}`} server={server} now={fleet.now} />
          ))}
        </ul>
      </section>
      {isFleet && <LinkList fleet={fleet} />}
    </>
  );
}
