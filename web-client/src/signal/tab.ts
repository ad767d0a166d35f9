import { uuidv7 } from './ids.ts';
import { tabMemory } from './memory.ts';

const KEY = 'qism.session';
/** The page before a reload lets its lock go within this time, even on a slow phone; a duplicated tab's original never does. */
const RELOAD_MS = 5_000;
/** A tab that was not reloaded finds the lock free or held by its original. */
const OPEN_MS = 400;

/** What this page holds already, and for whom. */
let own: { user: string; session: Promise<string> } | undefined;

/**
 * The session of this tab for one person: the same for as long as the page lives and kept over reloads, so that who comes back is the same
 * person and not a second one. On a shared phone the next person has another.
 */
export function tabSession(user: string): Promise<string> {
  if (own?.user !== user) own = { user, session: recall(user) };
  return own.session;
}

/** A duplicated tab copies the storage; the lock tells it that somebody else is this session already. */
async function recall(user: string): Promise<string> {
  const [owner, kept] = tabMemory.recall(KEY)?.split(' ') ?? [];
  const session = owner === user && kept && (await claim(kept)) ? kept : uuidv7();
  if (session !== kept) await claim(session);
  tabMemory.remember(KEY, `${user} ${session}`);
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
