import { uuidv7 } from './ids.ts';

const KEY = 'qism.session';
/** A page that is being reloaded lets its lock go within this time; a duplicated tab's original never does. */
const RELOAD_MS = 400;

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
    const held = () => {
      claimed(true);
      return new Promise<void>(() => undefined);
    };
    const options = { signal: AbortSignal.timeout(RELOAD_MS) };
    navigator.locks.request(`${KEY}.${session}`, options, held).catch(() => claimed(false));
  });
}
