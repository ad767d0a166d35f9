import { CLOSE_CODES, type CloseCode } from '../protocol/generated.ts';

/** Why the socket will not come back by itself. */
export type StopReason = CloseCode | 'signed_out' | 'too_early' | 'no_such_lesson' | 'refused';

/** What a close code asks of us: stop, or come back after about so many milliseconds. */
export type NextStep = { kind: 'stop'; reason: StopReason } | { kind: 'return'; afterMs: number };

const FIRST_MS = 300;
const LONGEST_MS = 8_000;
const FLOOD_MS = 5_000;

/** Exponential, with full jitter on its upper half, so that a class does not come back in one wave. */
export function backOff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return ceiling / 2 + (random() * ceiling) / 2;
}

/** Reads the step from the code alone: 44xx stop (but for a stale ticket), 45xx and lost lines return. */
export function afterClose(code: number, attempt: number, random: () => number = Math.random): NextStep {
  const reason = CLOSE_CODES[code];
  if (reason === 'draining') return { kind: 'return', afterMs: random() * 250 };
  if (reason === 'flood') return { kind: 'return', afterMs: FLOOD_MS };
  if (reason === 'ticket') return { kind: 'return', afterMs: backOff(attempt, random) };
  if (reason !== undefined && code < 4500) return { kind: 'stop', reason };
  return { kind: 'return', afterMs: backOff(attempt, random) };
}

/** What a refused ticket asks of us, by HTTP status and error code; 0 = no answer. */
export function afterTicketRefused(status: number, error: string, attempt: number): NextStep {
  switch (error) {
    case 'not_admitted':
    case 'kept_out':
    case 'locked':
    case 'too_early':
    case 'no_such_lesson':
    case 'signed_out':
      return { kind: 'stop', reason: error };
    case 'lesson_ended':
      return { kind: 'stop', reason: 'ended' };
    default:
      if (status >= 400 && status < 500 && status !== 429) return { kind: 'stop', reason: 'refused' };
      return { kind: 'return', afterMs: backOff(attempt) };
  }
}
