import type { FleetTrouble } from '../../../school/api.ts';
import { formatNumber, t } from '../../i18n/index.ts';
import { isolated } from '../../kit/names.ts';

/** Per mille as percent. */
export const percent = (perMille: number) =>
  formatNumber(perMille / 1_000, { style: 'percent', maximumFractionDigits: 1 });

/** A part of one counts as one. */
export const milliseconds = (ms: number) => t('fleet.ms', { ms: Math.max(1, ms) });

/** How long ago, in the unit that says enough. */
export const ago = (seconds: number) =>
  seconds < 120
    ? t('fleet.heardAgo', { seconds: Math.round(seconds) })
    : t('fleet.minutesAgo', { minutes: Math.round(seconds / 60) });

/** A server's name, readable in any script around it. */
export const serverName = (name: string) => (name ? isolated(name) : t('fleet.thisServer'));

/** One thing that somebody should look after, in words that need no manual. */
export function troubleWords(trouble: FleetTrouble): string {
  const { kind, amount: count } = trouble;
  const server = serverName(trouble.server);
  const ends = { server, other: serverName(trouble.other ?? '') };
  switch (kind) {
    case 'gone':
      return t('fleet.is.gone', { server, ago: ago(count) });
    case 'silent':
      return t('fleet.is.silent', { server, ago: ago(count) });
    case 'bus':
      return t('fleet.is.bus', { server });
    case 'forged':
      return t('fleet.is.forged', { server, count });
    case 'log_away':
      return t('fleet.is.logAway', { server, count });
    case 'unsafe':
      return t('fleet.is.unsafe', { server });
    case 'refused':
      return t('fleet.is.refused', { server, count });
    case 'slow_database':
      return t('fleet.is.slowDatabase', { server, ms: count });
    case 'draining':
      return t('fleet.is.draining', { server, count });
    case 'full':
      return t('fleet.is.full', { server, percent: percent(count) });
    case 'busy':
      return t('fleet.is.busy', { server, percent: percent(count) });
    case 'waiting':
      return t('fleet.is.waiting', { server, count });
    case 'link_down':
      return t('fleet.is.linkDown', ends);
    case 'link_full':
      return t('fleet.is.linkFull', { ...ends, count });
    case 'link_lossy':
      return t('fleet.is.linkLossy', { ...ends, percent: percent(count) });
    case 'link_slow':
      return t('fleet.is.linkSlow', { ...ends, ms: count });
    case 'spilled':
      return t('fleet.is.spilled', { count });
    case 'away':
      return t('fleet.is.away', { count });
    case 'packing':
      return t('fleet.is.packing', { count });
    case 'versions':
      return t('fleet.is.versions', { count });
    default:
      // A server that is newer than this page.
      kind satisfies never;
      return t('fleet.is.unknown', { server });
  }
}
