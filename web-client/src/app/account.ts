import { signal } from '@preact/signals';
import { ApiError, type Me, me, type Outage, outageOf, type SchoolRole, signIn, signOut } from '../school/api.ts';
import { backOff } from '../signal/policy.ts';

/** Why signing in did not work, as the sign-in screen tells it. */
export type SignInProblem =
  | { code: 'wrong_credentials' | 'account_disabled' | Outage | 'signed_out' | 'other' }
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
      if (outage) await pause(backOff(attempt));
    }
  }
}

/** Does not sit out the wait for the next try. */
export function recallNow(): void {
  tryNow();
}

/** Ends early where somebody asks for it, or the browser has a network again. */
function pause(ms: number): Promise<void> {
  return new Promise((over) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener('online', end);
      over();
    };
    const timer = setTimeout(end, ms);
    addEventListener('online', end);
    tryNow = end;
  });
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

/** Signs in, or says why not. */
export async function openAccount(login: string, password: string): Promise<void> {
  account.value = { kind: 'out', problem: undefined, busy: true };
  try {
    account.value = { kind: 'in', me: await signIn(login, password) };
    tabs.postMessage(account.value.me.user);
  } catch (error) {
    account.value = { kind: 'out', problem: problemOf(error), busy: false };
  }
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
