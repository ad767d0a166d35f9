import { useState } from 'preact/hooks';
import type { Fleet, FleetLink } from '../../../school/api.ts';
import { formatNumber, t } from '../../i18n/index.ts';
import { Badge } from '../../kit/Badge.tsx';
import { Button } from '../../kit/Button.tsx';
import { Facts } from './Facts.tsx';
import { milliseconds, percent, serverName } from './troubleWords.ts';

/** A fleet of sixty has thousands: the bad ones and the busiest are first, and enough. */
const shownAtFirst = 9;

interface Direction {
  from: string;
  link: FleetLink;
}

/** What flows between servers: lessons whose people are on several of them. */
export function LinkList({ fleet }: { fleet: Fleet }) {
  const [all, setAll] = useState(false);
  const bad = new Set(
    fleet.troubles.filter((trouble) => trouble.other !== null).map((trouble) => `${trouble.server} ${trouble.other}`),
  );
  const isBad = ({ from, link }: Direction) => bad.has(`${from} ${link.to}`);
  const heard = fleet.servers.filter((server) => server.state === 'serving' || server.state === 'draining');
  const links = heard
    .flatMap((server) => server.condition.links.map((link) => ({ from: server.name, link })))
    .sort((a, b) => Number(isBad(b)) - Number(isBad(a)) || b.link.sent - a.link.sent);
  const shown = all ? links : links.slice(0, shownAtFirst);
  return (
    <section class="home-section" aria-labelledby="fleet-links">
      <h2 id="fleet-links">{t('fleet.links')}</h2>
      {links.length === 0 && <p class="muted">{t('fleet.noLinks')}</p>}
      <ul class="card-list">
        {shown.map((direction) => (
          <LinkCard key={`${direction.from} ${direction.link.to}`} {...direction} isBad={isBad(direction)} />
        ))}
      </ul>
      {shown.length < links.length && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          {t('fleet.allLinks', { count: links.length })}
        </Button>
      )}
    </section>
  );
}

function LinkCard({ from, link, isBad }: Direction & { isBad: boolean }) {
  const tone = !link.is_up ? 'danger' : isBad ? 'warning' : 'ok';
  const rate = (bits: number) => (
    <bdi dir="ltr">{t('fleet.mbps', { value: formatNumber(bits / 1e6, { maximumSignificantDigits: 2 }) })}</bdi>
  );
  const facts = [
    [t('fleet.sent'), rate(link.sent)],
    [t('fleet.bears'), link.estimate === null ? t('fleet.unknown') : rate(link.estimate)],
    [t('fleet.roundTrip'), link.round_trip_ms === null ? t('fleet.unknown') : milliseconds(link.round_trip_ms)],
    [t('fleet.lost'), percent(link.lost)],
    [t('fleet.leftOut'), t('fleet.perSecond', { count: link.left_out })],
  ] as const;
  return (
    <li class={`card card-small server server-${tone}`}>
      <div class="card-top">
        <h3>{t('fleet.linkTo', { from: serverName(from), to: serverName(link.to) })}</h3>
        <Badge tone={tone} icon={tone === 'ok' ? 'check' : 'warning'}>
          {t(link.is_up ? 'fleet.linkUp' : 'fleet.down')}
        </Badge>
      </div>
      <Facts facts={facts} />
    </li>
  );
}
