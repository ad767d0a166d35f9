import { signal } from '@preact/signals';
import { ApiError, type Me, me, type Outage, outageOf, type SchoolRole, signIn, signOut } from '../school/api.ts';
import { pause } from '../signal/pause.ts';
import { backOff } from '../signal/policy.ts';

/** Why signing in did not work, as the sign-in screen tells it. */
export type SignInProblem =
  | { code: 'wrong_credentials' | 'account_disabled' | Outage | 'signed_out' | 'no_cookies' | 'other' }
  | { code: 'too_many_attempts'; retryAfterS: number };

/** Who uses this browser now. */
export type Account =
  /** `outage`: why nobody knows it yet. */
  | { kind: 'unknown'; outage: Outage | undefined }
  | { kind: 'out'; problem: SignInProblem | undefined; busy: boolean }
  | { kind: 'in'; me: Me };

export const account = signal<Account>({ kind: 'unknown', outage: undefined });

let tryNow: () => void = () => undefined;

/**
 * Asks the server at the start of the page, again and again while no answer comes: who reloads in a tunnel is still signed in behind it,
 * and need not write a password.
 */
export async function recallAccount(): Promise<void> {
  for (let attempt = 0; account.value.kind === 'unknown'; attempt += 1) {
    try {
      account.value = { kind: 'in', me: await me() };
    } catch (error) {
      const outage = outageOf(error);
      account.value = outage ? { kind: 'unknown', outage } : { kind: 'out', problem: undefined, busy: false };
      if (outage) await wait(backOff(attempt));
    }
  }
}

/** Does not sit out the wait for the next try. */
export function recallNow(): void {
  tryNow();
}

function wait(ms: number): Promise<void> {
  const { over, end } = pause(ms);
  tryNow = end;
  return over;
}

/** Tabs tell each other who is signed in now; '' = nobody. */
const tabs = new BroadcastChannel('qism.account');

/**
 * Follows what happens in other tabs: who signs out in one is out in all, also in the middle of a lesson, and nothing of one account stays
 * where the next one is. `onOther` forgets what is kept of an account. Called once at the start.
 */
export function followTabs(onOther: () => void): void {
  tabs.onmessage = ({ data: user }: MessageEvent<string>) => {
    const who = account.value;
    if (who.kind === 'unknown' || (who.kind === 'in' ? who.me.user : '') === user) return;
    onOther();
    account.value = { kind: 'unknown', outage: undefined };
    void recallAccount();
  };
}

/** Signs in, or says why not. Without its cookie nobody would be signed in at the next request. */
export async function openAccount(login: string, password: string): Promise<void> {
  if (!keepsCookies()) {
    account.value = { kind: 'out', problem: { code: 'no_cookies' }, busy: false };
    return;
  }
  account.value = { kind: 'out', problem: undefined, busy: true };
  try {
    account.value = { kind: 'in', me: await signIn(login, password) };
    tabs.postMessage(account.value.me.user);
  } catch (error) {
    account.value = { kind: 'out', problem: problemOf(error), busy: false };
  }
}

/** Asked by one that is over at once: some browsers say of themselves that they keep cookies, and keep none. */
function keepsCookies(): boolean {
  // biome-ignore lint/suspicious/noDocumentCookie: Firefox 125 and Safari 17 have nothing newer.
  document.cookie = 'qism.try=1; SameSite=Strict';
  const keeps = document.cookie.includes('qism.try=1');
  // biome-ignore lint/suspicious/noDocumentCookie: as above.
  document.cookie = 'qism.try=; Max-Age=0; SameSite=Strict';
  return keeps;
}

/** Signs out here, whether or not the server can be told. */
export async function closeAccount(): Promise<void> {
  await signOut().catch(() => undefined);
  tabs.postMessage('');
  account.value = { kind: 'out', problem: undefined, busy: false };
}

/** The session is over. */
export function accountExpired(): void {
  account.value = { kind: 'out', problem: { code: 'signed_out' }, busy: false };
}

/** The same, where a request failed of it. */
export function expireOn(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) accountExpired();
}

/** Whether the person holds one of these roles. */
export function holds(who: Me, ...wanted: SchoolRole[]): boolean {
  return who.roles.some(({ role }) => wanted.includes(role));
}

function problemOf(error: unknown): SignInProblem {
  if (!(error instanceof ApiError)) return { code: 'other' };
  switch (error.code) {
    case 'wrong_credentials':
    case 'account_disabled':
      return { code: error.code };
    case 'too_many_attempts':
      return { code: error.code, retryAfterS: error.retryAfterS ?? 30 };
    default:
      return { code: outageOf(error) ?? 'other' };
  }
}
