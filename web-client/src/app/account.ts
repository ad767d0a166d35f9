import { signal } from '@preact/signals';
import { ApiError, type Me, me, type SchoolRole, signIn, signOut } from '../school/api.ts';

/** Why signing in did not work, as the sign-in screen tells it. */
export type SignInProblem =
  | { code: 'wrong_credentials' | 'account_disabled' | 'unreachable' | 'signed_out' | 'other' }
  | { code: 'too_many_attempts'; retryAfterS: number };

/** Who uses this browser now. */
export type Account =
  | { kind: 'unknown' }
  | { kind: 'out'; problem: SignInProblem | undefined; busy: boolean }
  | { kind: 'in'; me: Me };

export const account = signal<Account>({ kind: 'unknown' });

/** Asks the server once, at the start of the page. */
export async function recallAccount(): Promise<void> {
  try {
    account.value = { kind: 'in', me: await me() };
  } catch (error) {
    const away = !(error instanceof ApiError) || error.status === 0 || error.status >= 500;
    account.value = { kind: 'out', problem: away ? { code: 'unreachable' } : undefined, busy: false };
  }
}

/** Signs in, or says why not. */
export async function openAccount(login: string, password: string): Promise<void> {
  account.value = { kind: 'out', problem: undefined, busy: true };
  try {
    account.value = { kind: 'in', me: await signIn(login, password) };
  } catch (error) {
    account.value = { kind: 'out', problem: problemOf(error), busy: false };
  }
}

/** Signs out here, whether or not the server can be told. */
export async function closeAccount(): Promise<void> {
  await signOut().catch(() => undefined);
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
      return { code: error.status === 0 || error.status >= 500 ? 'unreachable' : 'other' };
  }
}
