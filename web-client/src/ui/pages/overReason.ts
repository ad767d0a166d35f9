import type { LessonSession } from '../../lesson/session.ts';
import type { OverReason } from '../screens/over/OverScreen.tsx';

const awayAfterMs = 6_000;

/** Why the lesson is not on screen; `undefined` while it is, or is about to be. */
export function overReason(session: LessonSession, now: number): OverReason | 'signed_out' | undefined {
  const connection = session.connection.value;
  const state = session.state.value;
  if (state?.phase === 'ended') return ended(session);
  if (connection.kind === 'cut' && !state && now - connection.since > awayAfterMs) return 'server_away';
  if (connection.kind !== 'stopped') return undefined;
  switch (connection.reason) {
    case 'ended':
      return ended(session);
    case 'signed_out':
    case 'left':
    case 'removed':
    case 'kept_out':
    case 'withdrawn':
    case 'locked':
    case 'replaced':
    case 'not_admitted':
    case 'too_early':
    case 'no_such_lesson':
    case 'version':
      return connection.reason;
    default:
      return 'problem';
  }
}

function ended(session: LessonSession): OverReason {
  switch (session.state.value?.endReason) {
    case 'no_adult':
      return 'ended_no_adult';
    case 'time_over':
      return 'ended_time';
    default:
      return session.self.value?.role === 'teacher' ? 'ended_by_me' : 'ended_chosen';
  }
}
