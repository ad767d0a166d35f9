import { tabMemory } from '../signal/memory.ts';
import { pause } from '../signal/pause.ts';
import { backOff } from '../signal/policy.ts';

/** How often this tab has started over in vain. */
const memory = 'qism.startedOver';
/** A server that has not answered by then is asked again: the question may have gone with the network that was. */
const ANSWER_MS = 5_000;

let waiting: ReturnType<typeof pause> | undefined;

/**
 * A part of the app did not come: the network changed, or the server was renewed and has other parts. Browsers do not ask for it again as long as
 * the page lives, so the page is loaded anew, at the same address, once a server sends it.
 */
export async function startOver(): Promise<void> {
  if (waiting) return;
  let attempt = Number(tabMemory.recall(memory)) || 0;
  for (let isThere = false; !isThere; attempt += 1) {
    waiting = pause(backOff(attempt));
    await waiting.over;
    isThere = await fetch('/', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) }).then(
      ({ ok }) => ok,
      () => false,
    );
  }
  tabMemory.remember(memory, String(attempt));
  location.reload();
}

/** Does not sit out the wait for the next try. */
export function startOverNow(): void {
  waiting?.end();
}

/** All parts that are needed have come. */
export function started(): void {
  tabMemory.remember(memory, null);
}
