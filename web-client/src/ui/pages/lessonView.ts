import type { LessonSession } from '../../lesson/session.ts';
import { canCaptureScreen } from '../../media/capture.ts';
import type { Role, Source } from '../../protocol/generated.ts';
import type { LessonPerson, LessonView, Notice, OwnTrack, Rights } from '../screens/lesson/view.ts';
import { chatItems } from './lessonChat.ts';
import { isListed, peopleOf } from './lessonPeople.ts';
import { stageOf, tilesOf } from './lessonStage.ts';
import type { Unread } from './unread.ts';

const wholeRosterPeople = 100;

/** The lesson as the screen draws it, from the session's signals; `undefined` before the first welcome. */
export function lessonView(
  session: LessonSession,
  notices: readonly Notice[],
  unread: Unread,
  now: number,
): LessonView | undefined {
  const self = session.self.value;
  const state = session.state.value;
  if (!self || !state) return undefined;
  const byId = peopleOf(session, self, state, now);
  const people = [...byId.values()].filter((person) => isListed(person, self));
  const me = byId.get(self.user);
  if (!me) return undefined;
  const receiveMode = session.media.receiveMode.value;
  const stage = stageOf({ phase: state.phase, me, people, receiveMode });
  const personOf = (user: string) => byId.get(user) ?? stranger(user);
  // Nobody waits behind those who went long ago; a line that broke a moment ago keeps its place.
  const hands = state.hands.filter((hand) => byId.get(hand.user)?.presence !== 'gone');
  const place = hands.findIndex((hand) => hand.user === self.user);
  const chat = session.chat.state.value;
  return {
    info: self.lesson,
    phase: state.phase,
    begun: now + self.clockOffsetMs >= self.lesson.starts_at,
    locked: state.locked,
    chatMode: state.chat,
    slowModeS: state.slowModeS,
    me,
    rights: rightsOf(self.role),
    people,
    wholeRoster: self.role !== 'student' || session.people.value.size <= wholeRosterPeople,
    studentsPresent: state.studentsPresent,
    keptOut: state.keptOut.map(personOf),
    hands: hands.map((hand) => ({ person: personOf(hand.user), since: hand.since })),
    handPlace: place < 0 ? undefined : place + 1,
    stage,
    tiles: tilesOf(stage, me, people),
    speaking: session.speaking,
    videoOf: (user, source) => videoOf(session, user, source),
    microphone: ownTrack(session, me, 'microphone'),
    cameraTrack: ownTrack(session, me, 'camera'),
    screenTrack: ownTrack(session, me, 'screen'),
    cameraRests: session.media.own.strain.value === 'camera',
    canShareScreen: canCaptureScreen(),
    receiveMode,
    showsVideo: receiveMode === 'low_video' || receiveMode === 'everything',
    picturesRest: picturesRest(session),
    data: session.data.used,
    chat: {
      items: chatItems([...chat.lines, ...chat.pending], byId),
      more: chat.more && chat.lines.length > 0,
      loadingOlder: session.chat.loadingOlder.value,
      unread: unread.count.value,
    },
    notices,
    soundLocked: session.media.soundLocked.value,
    clockOffsetMs: self.clockOffsetMs,
  };
}

/** Mirrors the server's table only to draw the right controls; the server decides each command anew. */
function rightsOf(role: Role): Rights {
  const leads = role === 'teacher';
  return {
    leads,
    removes: leads || role === 'director',
    ends: leads || role === 'director',
    speaks: leads || role === 'student',
    writes: leads || role === 'student',
  };
}

function ownTrack(session: LessonSession, me: LessonPerson, source: Source): OwnTrack {
  if (session.media.own.starting.value.has(source)) return 'starting';
  if (source === 'microphone') return me.microphone === 'none' ? 'off' : me.microphone;
  return (source === 'camera' ? me.camera : me.screen) ? 'on' : 'off';
}

function picturesRest(session: LessonSession): LessonView['picturesRest'] {
  if (session.media.picturesStopped) return 'weak';
  return session.data.used.value.pictures === 'none' ? 'budget' : undefined;
}

/** A face that stands still would mislead; the last page of a screen can still be read. */
function videoOf(session: LessonSession, user: string, source: Source): MediaStream | undefined {
  if (user === session.self.value?.user) return ownVideo(session, source);
  const rests = picturesRest(session) !== undefined || session.data.used.value.pictures === 'screen';
  return rests && source === 'camera' ? undefined : session.media.videoOf(user, source);
}

/** One stream per own track, so that the picture is not started anew at each drawing. */
const ownStreams = new WeakMap<MediaStreamTrack, MediaStream>();

function ownVideo(session: LessonSession, source: Source): MediaStream | undefined {
  const track = session.media.own.track(source);
  if (!track) return undefined;
  const stream = ownStreams.get(track) ?? new MediaStream([track]);
  ownStreams.set(track, stream);
  return stream;
}

function stranger(user: string): LessonPerson {
  return {
    user,
    role: 'student',
    name: undefined,
    me: false,
    presence: 'expected',
    visit: false,
    floor: false,
    cameraGrant: null,
    microphone: 'none',
    camera: false,
    screen: false,
  };
}
