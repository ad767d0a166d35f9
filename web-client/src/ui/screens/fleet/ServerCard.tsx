import type { ComponentChildren } from 'preact';
import type { FleetServer } from '../../../school/api.ts';
import { formatNumber, t } from '../../i18n/index.ts';
import { Badge } from '../../kit/Badge.tsx';
import { ShareBar } from '../../kit/ShareBar.tsx';
import { Facts } from './Facts.tsx';
import { ago, milliseconds, percent } from './troubleWords.ts';

const states = {
  serving: { tone: 'ok', icon: 'check', words: 'fleet.serving' },
  draining: { tone: 'warning', icon: 'clock', words: 'fleet.draining' },
  silent: { tone: 'danger', icon: 'warning', words: 'fleet.silent' },
  gone: { tone: 'danger', icon: 'warning', words: 'fleet.gone' },
} as const;

/** From where on a bar is not calm any more, per mille: no new lessons, nobody at all (`cluster::placement`). */
const loadSteps = [850, 950] as const;
const busySteps = [600, 850] as const;

/** One server: does it serve, how full is it, who is on it, what does it reach. One that is not heard says only since when. */
export function ServerCard({ server, now }: { server: FleetServer; now: number }) {
  const { tone, icon, words } = states[server.state];
  const isHeard = server.state === 'serving' || server.state === 'draining';
  return (
    <li class={`card card-small server server-${tone}`}>
      <div class="card-top">
        <h3>{server.name ? <bdi dir="ltr">{server.name}</bdi> : t('fleet.thisServer')}</h3>
        <Badge tone={tone} icon={icon}>
          {t(words)}
        </Badge>
      </div>
      {isHeard && (
        <>
          <ShareBar share={server.load / 1_000} tone={toneOf(server.load, loadSteps)}>
            {t('fleet.load', { percent: percent(server.load) })}
          </ShareBar>
          <ShareBar share={server.busy / 1_000} tone={toneOf(server.busy, busySteps)}>
            {t('fleet.cpu', { percent: percent(server.busy) })}
          </ShareBar>
        </>
      )}
      <Facts facts={isHeard ? facts(server, now) : lastFacts(server)} />
    </li>
  );
}

function toneOf(perMille: number, [warning, danger]: readonly [number, number]) {
  if (perMille >= danger) return 'danger';
  return perMille >= warning ? 'warning' : 'plain';
}

type Fact = readonly [label: string, value: ComponentChildren];

function facts(server: FleetServer, now: number): Fact[] {
  const { condition, placed, away } = server;
  const count = (value: number) => formatNumber(value);
  const placedWords = away > 0 ? t('fleet.awayOf', { placed, away }) : count(placed);
  const told: (Fact | false)[] = [
    [t('fleet.lessons'), count(server.lessons)],
    [t('fleet.people'), count(server.people)],
    server.name !== '' && [t('fleet.placed'), placedWords],
    server.strays > 0 && [t('fleet.strays'), count(server.strays)],
    condition.waiting > 0 && [t('fleet.waiting'), count(condition.waiting)],
    server.name !== '' && [t('fleet.database'), milliseconds(condition.database_ms)],
    condition.bus !== null && [t('fleet.redis'), condition.bus ? t('fleet.up') : t('fleet.down')],
    condition.since > 0 && [t('fleet.since'), ago((now - condition.since) / 1_000)],
    version(server),
  ];
  return told.filter((fact) => fact !== false);
}

const lastFacts = (server: FleetServer): Fact[] => [[t('fleet.heard'), ago(server.silent_ms / 1_000)], version(server)];

const version = (server: FleetServer): Fact => [t('fleet.version'), <bdi dir="ltr">{server.version}</bdi>];
