import { uuidv7 } from './ids.ts';

const KEY = 'qism.session';

/**
 * The session of this tab: kept over reloads, so that a reload is the same person coming back and not a second one. A
 * duplicated tab copies the storage; the lock tells it that somebody else is this session already.
 */
export async function tabSession(): Promise<string> {
  const kept = sessionStorage.getItem(KEY);
  const session = kept && (await claim(kept)) ? kept : uuidv7();
  if (session !== kept) await claim(session);
  sessionStorage.setItem(KEY, session);
  return session;
}

/** Holds a lock named after the session until the tab ends. Without locks (plain HTTP on a network) the claim is believed. */
function claim(session: string): Promise<boolean> {
  if (!('locks' in navigator)) return Promise.resolve(true);
  return new Promise((claimed) => {
    void navigator.locks.request(`${KEY}.${session}`, { ifAvailable: true }, (lock) => {
      claimed(lock !== null);
      return lock === null ? undefined : new Promise<void>(() => undefined);
    });
  });
}
