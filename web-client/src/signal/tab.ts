import { uuidv7 } from './ids.ts';

const KEY = 'qism.session';
/** The page before a reload lets its lock go within this time, even on a slow phone; a duplicated tab's original never does. */
const RELOAD_MS = 5_000;
/** A tab that was not reloaded finds the lock free or held by its original. */
const OPEN_MS = 400;

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
    const options = { signal: AbortSignal.timeout(wasReloaded() ? RELOAD_MS : OPEN_MS) };
    navigator.locks.request(`${KEY}.${session}`, options, held).catch(() => claimed(false));
  });
}

function wasReloaded(): boolean {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  return navigation?.type === 'reload';
}
