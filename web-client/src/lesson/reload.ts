import { tabMemory } from '../signal/memory.ts';
import type { Sending } from './ownMedia.ts';

const KEY = 'qism.sending';
/** Older than this it was another visit: a microphone is never on by surprise. */
const RELOAD_MS = 60_000;

interface Kept {
  lesson: string;
  at: number;
  sending: Sending;
}

/** What this page sends, for the page after a reload: the server forgets it when the reload takes longer than a cut may. */
export function keepSending(lesson: string, sending: Sending, now = Date.now()): void {
  const kept: Kept = { lesson, at: now, sending };
  tabMemory.remember(KEY, JSON.stringify(kept));
}

/** What the page before a reload of this lesson sent. */
export function sentBefore(lesson: string, now = Date.now()): Sending {
  try {
    const kept = JSON.parse(tabMemory.recall(KEY) ?? '') as Kept;
    return kept.lesson === lesson && now - kept.at < RELOAD_MS ? kept.sending : {};
  } catch {
    return {};
  }
}

/** The lesson was left, or is over: the next entry starts anew. */
export function forgetSending(): void {
  tabMemory.remember(KEY, null);
}
