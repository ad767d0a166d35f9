import type { Localized, Logged, Name, Person, Phase, RemovalReason } from '../protocol/generated.ts';

/** A request that the server refused, or that got no answer (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterS: number | undefined;

  constructor(status: number, code: string, retryAfterS: number | undefined) {
    super(code);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** Why nothing came: no answer at all, or one from a site that cannot work now (its database is away, it is too busy). */
export type Outage = 'unreachable' | 'unavailable';

/** What keeps a request from its answer; undefined where the server answered and said no. */
export function outageOf(error: unknown): Outage | undefined {
  if (!(error instanceof ApiError)) return undefined;
  if (error.status === 0) return 'unreachable';
  return error.status >= 500 ? 'unavailable' : undefined;
}

/** Who is signed in: the answer of `/api/me`. */
export interface Me {
  user: string;
  login: string;
  name: Name;
  roles: { role: SchoolRole }[];
  school: { code: string; name: Localized };
}

export type SchoolRole = 'administrator' | 'director' | 'supervisor' | 'inspector' | 'teacher' | 'student' | 'guardian';

/** One of today's lessons. */
export interface TodayLesson {
  lesson: string;
  subject: Localized;
  group: string;
  teacher: Person;
  starts_at: number;
  ends_at: number;
  phase: Phase;
  /** Nobody can enter for a while, and whether it was ended is not known. */
  unavailable: boolean;
  students_present: number;
  students_expected: number;
}

/** A group that a teacher may start a lesson with at once. */
export interface OwnGroup {
  group: string;
  name: string;
  subjects: { subject: string; name: Localized }[];
}

/** Today, as the signed-in person sees it. */
export interface Today {
  /** The server's clock, milliseconds since the epoch. */
  now: number;
  lessons: TodayLesson[];
  groups: OwnGroup[];
}

/** A removal or report, for the director. */
export interface SchoolReport {
  at: number;
  lesson: string;
  subject: Localized;
  group: string;
  kind: 'removal' | 'report';
  by: Person;
  about?: Person | null;
  reason?: RemovalReason | null;
  note?: string | null;
  recent: Logged[];
  people?: Person[];
}

/** Somebody of the school, for its director. */
export interface SchoolPerson {
  user: string;
  login: string;
  name: Name;
  roles: string[];
  groups: string[];
}

export interface SchoolPeople {
  people: SchoolPerson[];
  /** Erased people whose words are not out of all lessons yet. */
  erasing: number;
}

/** The servers and what goes on, for the administrator. */
export interface Fleet {
  /** The database's clock, milliseconds since the epoch. */
  now: number;
  /** What somebody should look after, the worst first. */
  troubles: FleetTrouble[];
  servers: FleetServer[];
  lessons: number;
  lessons_without_teacher: number;
  students: number;
  /** Old lessons that are to be packed. */
  packing_due: number;
}

export type TroubleKind =
  | 'gone'
  | 'silent'
  | 'bus'
  | 'forged'
  | 'log_away'
  | 'unsafe'
  | 'refused'
  | 'slow_database'
  | 'draining'
  | 'full'
  | 'busy'
  | 'waiting'
  | 'link_down'
  | 'link_full'
  | 'link_lossy'
  | 'link_slow'
  | 'spilled'
  | 'away'
  | 'packing'
  | 'versions';

/** One thing that somebody should look after. */
export interface FleetTrouble {
  kind: TroubleKind;
  severity: 'danger' | 'warning';
  /** Empty where it is nobody's own. */
  server: string;
  /** The far end of a link. */
  other: string | null;
  /** In what the kind says: seconds, milliseconds, per mille, or how many. */
  amount: number;
}

/** One direction of a link, as its sending end sees it. */
export interface FleetLink {
  to: string;
  is_up: boolean;
  /** Bits per second. */
  sent: number;
  received: number;
  estimate: number | null;
  round_trip_ms: number | null;
  /** Per mille of the packets. */
  lost: number;
  /** Packets of pictures a second that the link had no room for. */
  left_out: number;
}

/** One server. */
export interface FleetServer {
  /** Empty for a server that is alone. */
  name: string;
  version: string;
  state: 'serving' | 'draining' | 'silent' | 'gone';
  /** Since it was last heard. */
  silent_ms: number;
  /** Per mille of the connections that it may have. */
  load: number;
  /** Per mille of its processors' time, of late. */
  busy: number;
  lessons: number;
  people: number;
  /** Lessons placed on it that are not over; of them, those that it is not at home for. */
  placed: number;
  away: number;
  /** People that it holds while their lesson was placed on another server. */
  strays: number;
  condition: {
    /** When its process began; 0: not told. */
    since: number;
    /** `null`: it needs no Redis. */
    bus: boolean | null;
    database_ms: number;
    /** Connections whose readers are slow. */
    waiting: number;
    links: FleetLink[];
  };
}

/** A phone in a tunnel gets no answer at all: give up and try again is then the caller's. */
const ANSWER_MS = 12_000;

async function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(path, {
    method,
    credentials: 'same-origin',
    cache: 'no-store',
    signal: AbortSignal.timeout(ANSWER_MS),
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  }).catch(() => {
    throw new ApiError(0, 'unreachable', undefined);
  });
  if (!response.ok) throw await refusal(response);
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

/** A server that has just died leaves its requests unanswered: the same is asked once more after so long, of another one. */
const HEDGE_MS = 1_500;

/**
 * The first answer to a request that may be made twice: the second is made when the first is silent, and the first goes on, which on a slow
 * network is only late.
 */
async function hedged<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  const first = answered(ask());
  const patience = new Promise<undefined>((late) => setTimeout(() => late(undefined), HEDGE_MS));
  const early = await Promise.race([first, patience]);
  const outcome: Answered<Answer> = early ?? (await Promise.any([first, answered(ask())]).catch(neither));
  if ('refusal' in outcome) throw outcome.refusal;
  return outcome.answer;
}

function neither(both: AggregateError): never {
  throw both.errors[0];
}

type Answered<Answer> = { answer: Answer } | { refusal: ApiError };

/** A refusal is an answer, too; only silence is none. */
const answered = <Answer>(asked: Promise<Answer>): Promise<Answered<Answer>> =>
  asked.then(
    (answer) => ({ answer }),
    (error: ApiError) => {
      if (error.status === 0) throw error;
      return { refusal: error };
    },
  );

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as { error?: string; retry_after_s?: number };
  return new ApiError(response.status, body.error ?? 'other', body.retry_after_s);
}

export const signIn = (login: string, password: string) => call<Me>('POST', '/api/session', { login, password });
export const signOut = () => call<void>('DELETE', '/api/session');
export const me = () => call<Me>('GET', '/api/me');
export const today = () => call<Today>('GET', '/api/lessons');
export const startNow = (group: string, subject?: string) =>
  call<{ lesson: string }>('POST', '/api/lessons', { group, ...(subject && { subject }) });
export const fleet = () => call<Fleet>('GET', '/api/fleet');
export const people = () => call<SchoolPeople>('GET', '/api/people');
export const erase = (user: string, login: string) => call<void>('POST', `/api/people/${user}/erasure`, { login });
export const reports = () => call<{ reports: SchoolReport[] }>('GET', '/api/reports');
export const ticket = (lesson: string, session: string) =>
  hedged(() =>
    call<{ ticket: string; socket: string; ice_servers?: RTCIceServer[] }>('POST', `/api/lessons/${lesson}/ticket`, {
      session,
    }),
  );
