import type { DeviceError } from '../media/capture.ts';
import type { ErrorCode, Event, Role, Source } from '../protocol/generated.ts';

/** What happened to me, for a line at the top of the screen. */
export type PersonalNotice =
  | {
      kind: 'muted' | 'camera_stopped' | 'screen_stopped' | 'floor_taken' | 'floor_given' | 'refused';
      code?: ErrorCode;
    }
  | { kind: 'device'; source: Source; error: DeviceError }
  | { kind: 'visit'; user: string; role: Role };

/** What an event of the log asks of this page. */
export interface Concern {
  notices: PersonalNotice[];
  /** Devices to let go. */
  letGo: readonly Source[];
  /** The microphone is silenced; told only where it was open. */
  silence: boolean;
}

/** Who this page is, and what it sent before the event. */
export interface Myself {
  user: string;
  role: Role;
  published: readonly Source[];
}

/** What is said of a source that somebody else stopped; the sound of a screen goes with the screen. */
const SAID: Partial<Record<Source, 'camera_stopped' | 'screen_stopped'>> = {
  camera: 'camera_stopped',
  screen: 'screen_stopped',
};

/** Events about myself, most of them caused by others: devices follow, and a word says so. Pure. */
export function concernOf(event: Event, me: Myself): Concern {
  const byOther = 'by' in event && event.by !== me.user;
  if (event.type === 'attached' && event.visit && event.user !== me.user) {
    return told({ kind: 'visit', user: event.user, role: event.role });
  }
  if (event.type === 'all_muted') return { ...nothing(), silence: byOther && me.role === 'student' };
  if (!('user' in event) || event.user !== me.user) return nothing();
  switch (event.type) {
    case 'muted_set':
      return { ...nothing(), silence: event.muted && byOther };
    case 'floor_given':
      return told({ kind: 'floor_given' });
    case 'floor_taken':
      return { ...(byOther ? told({ kind: 'floor_taken' }) : nothing()), letGo: me.published };
    case 'camera_revoked':
      return stopped('camera', byOther);
    case 'unpublished':
      return byOther ? stopped(event.source, true) : nothing();
    default:
      return nothing();
  }
}

function stopped(source: Source, byOther: boolean): Concern {
  const kind = byOther && SAID[source];
  return { ...(kind ? told({ kind }) : nothing()), letGo: [source] };
}

function told(notice: PersonalNotice): Concern {
  return { ...nothing(), notices: [notice] };
}

function nothing(): Concern {
  return { notices: [], letGo: [], silence: false };
}
