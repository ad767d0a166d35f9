import { signal } from '@preact/signals';
import type { PersonalNotice } from '../../lesson/concerns.ts';
import type { LessonSession } from '../../lesson/session.ts';
import { t } from '../i18n/index.ts';
import { announceNow } from '../kit/announce.ts';
import { fullName, isolated } from '../kit/names.ts';
import { language } from '../i18n/index.ts';
import { megabytes } from '../screens/lesson/DataMeter.tsx';
import type { Notice } from '../screens/lesson/view.ts';

type Told = PersonalNotice | { kind: 'report_sent' | 'back' | 'unheard' };
interface Shown {
  key: string;
  told: Told;
}

const STRAINS = {
  camera: 'connection.cameraRests',
  screen: 'connection.screenSlow',
  voice: 'connection.voiceSuffers',
} as const;
const staysMs = 8_000;
const vibrationMs = 200;

/** The lines at the top of a lesson: what happened to oneself for a while, visits and the connection as long as they last. */
export class LessonNotices {
  readonly #shown = signal<readonly Shown[]>([]);
  readonly #closed = signal<ReadonlySet<string>>(new Set());
  readonly #session: LessonSession;
  #count = 0;

  constructor(session: LessonSession) {
    this.#session = session;
    session.onNotice = (notice) => this.tell(notice);
  }

  tell(told: Told): void {
    if (told.kind === 'visit') return;
    if (told.kind === 'floor_given') {
      announceNow(`${t('say.floorGiven')}. ${t('floor.mineHint')}`);
      navigator.vibrate?.(vibrationMs);
      return;
    }
    this.#count += 1;
    const key = `told-${this.#count}`;
    const same = (shown: Shown) => shown.told.kind === told.kind;
    this.#shown.value = [...this.#shown.value.filter((shown) => !same(shown)), { key, told }];
    if (!lasts(told)) setTimeout(() => this.close(key), staysMs);
  }

  close(key: string): void {
    this.#shown.value = this.#shown.value.filter((shown) => shown.key !== key);
    this.#closed.value = new Set(this.#closed.value).add(key);
  }

  /** All lines of this moment, the most pressing first: small screens show that one alone. */
  lines(now: number): Notice[] {
    return [
      ...this.#connection(now),
      ...this.#shown.value
        .filter(({ told }) => !this.#isMended(told))
        .map(({ key, told }) => lineOf(key, told))
        .reverse(),
      ...this.#visits(),
    ];
  }

  /** The microphone or camera that was missing is on again. */
  #isMended(told: Told): boolean {
    return lasts(told) && this.#session.media.own.track(told.source) !== undefined;
  }

  #connection(now: number): Notice[] {
    const connection = this.#session.connection.value;
    if (connection.kind !== 'cut') return this.#weakness();
    const seconds = Math.max(0, Math.round((now - connection.since) / 1000));
    const text = `${t('connection.reconnecting', { seconds })} ${t('connection.reconnectingHint')}`;
    return [{ key: 'connection', tone: 'danger', icon: 'network', text, closable: false }];
  }

  #weakness(): Notice[] {
    if (this.#session.media.blocked.value)
      return [{ key: 'blocked', tone: 'danger', icon: 'network', text: t('connection.mediaBlocked'), closable: false }];
    const { strain } = this.#session.media.own;
    if (strain.value) {
      const text = t(STRAINS[strain.value]);
      return [{ key: 'strain', tone: 'warning', icon: 'network', text, closable: false }];
    }
    if (this.#session.media.picturesStopped)
      return [{ key: 'weak', tone: 'warning', icon: 'network', text: t('connection.weak'), closable: false }];
    return this.#budget();
  }

  /** What a budget takes away; put away once, it does not come back for the same reason and budget. */
  #budget(): Notice[] {
    const { bytes, budget, pictures } = this.#session.data.used.value;
    if (budget === null) return [];
    const rest = pictures === 'none' || pictures === 'screen' ? pictures : undefined;
    const reason = bytes >= budget ? ('usedUp' as const) : rest;
    if (!reason) return [];
    const key = `budget-${reason}-${budget}`;
    if (this.#closed.value.has(key)) return [];
    const text = t(`budget.${reason}`, { budget: megabytes(budget) });
    return [{ key, tone: 'warning', icon: 'receive', text, closable: true }];
  }

  #visits(): Notice[] {
    const me = this.#session.self.value?.user;
    const participants = [...(this.#session.state.value?.participants.values() ?? [])];
    return participants
      .filter(({ user, visit, present }) => visit && present && user !== me && !this.#closed.value.has(`visit-${user}`))
      .map(({ user, role }) => {
        const name = isolated(fullName(this.#session.people.value.get(user)?.name, language.value));
        const text = t('connection.visit', { name, role: t(`role.${role}`) });
        return { key: `visit-${user}`, tone: 'accent', icon: 'eye', text, closable: true };
      });
  }
}

/** Who is not heard or seen must know it for as long as it is so; that no screen was chosen is soon forgotten. */
function lasts(told: Told): told is Extract<Told, { kind: 'device' }> {
  return told.kind === 'device' && told.source !== 'screen';
}

function lineOf(key: string, told: Told): Notice {
  const line = { key, closable: true };
  switch (told.kind) {
    case 'muted':
      return { ...line, tone: 'warning', icon: 'microphoneOff', text: t('connection.mutedByTeacher') };
    case 'camera_stopped':
      return { ...line, tone: 'warning', icon: 'cameraOff', text: t('connection.cameraStopped') };
    case 'screen_stopped':
      return { ...line, tone: 'warning', icon: 'screenOff', text: t('connection.screenStopped') };
    case 'floor_taken':
      return { ...line, tone: 'warning', icon: 'floor', text: t('connection.floorTaken') };
    case 'unheard':
      return { ...line, tone: 'warning', icon: 'microphoneOff', text: t('connection.unheard') };
    case 'report_sent':
      return { ...line, tone: 'ok', text: t('report.sent') };
    case 'back':
      return { ...line, tone: 'ok', text: t('connection.back') };
    case 'device':
      return { ...line, tone: 'warning', text: deviceText(told) };
    case 'refused':
      return { ...line, tone: 'warning', text: told.code ? t(`error.${told.code}`) : t('error.other') };
    default:
      return { ...line, tone: 'info', text: '' };
  }
}

function deviceText({ source, error }: Extract<Told, { kind: 'device' }>): string {
  if (source === 'screen' && error.problem === 'denied') return t('device.screenDeniedHelp');
  return `${t(`device.${error.problem}Title`)}. ${t(`device.${error.problem}Help`)}`;
}
