import type {
  ChatMode,
  EndReason,
  Event,
  Logged,
  Participant,
  Phase,
  Position,
  PublishedTrack,
  Snapshot,
  Source,
} from '../protocol/generated.ts';

/** A hand in the queue; `since` is unknown for hands that were up before the snapshot. */
export interface Hand {
  user: string;
  since: number | undefined;
}

/** The fold of a lesson's log, as this person may see it. Mirrors the server's `room` where a screen needs it. */
export interface LessonState {
  position: Position;
  phase: Phase;
  endReason: EndReason | undefined;
  locked: boolean;
  chat: ChatMode;
  slowModeS: number;
  participants: ReadonlyMap<string, Participant>;
  hands: readonly Hand[];
  keptOut: readonly string[];
  studentsPresent: number;
  /** When somebody's line broke; unknown for breaks older than this page. */
  cutSince: ReadonlyMap<string, number>;
}

export function fromSnapshot(snapshot: Snapshot): LessonState {
  return {
    position: snapshot.position,
    phase: snapshot.phase,
    endReason: undefined,
    locked: snapshot.locked,
    chat: snapshot.chat,
    slowModeS: snapshot.slow_mode_s,
    participants: new Map(snapshot.participants.map((participant) => [participant.user, participant])),
    hands: snapshot.hands.map((user) => ({ user, since: undefined })),
    keptOut: snapshot.kept_out,
    studentsPresent: snapshot.students_present,
    cutSince: new Map(),
  };
}

/** A large lesson comes page by page: these are as of now, whatever was known. The number of students is told beside them. */
export function withParticipants(state: LessonState, page: readonly Participant[]): LessonState {
  if (page.length === 0) return state;
  const participants = new Map(state.participants);
  for (const participant of page) participants.set(participant.user, participant);
  return { ...state, participants };
}

/** The state after the next event. Pure; never refuses. */
export function apply(state: LessonState, logged: Logged): LessonState {
  const position = { number: logged.number, chain: logged.chain };
  return { ...state, ...change(state, logged.event, logged.at), position };
}

type Change = Partial<LessonState>;

function change(state: LessonState, event: Event, at: number): Change {
  switch (event.type) {
    case 'attached':
      return attached(state, event);
    case 'left':
      return left(state, event, at);
    case 'opened':
    case 'resumed':
      return { phase: 'open' };
    case 'paused':
      return { phase: 'paused' };
    case 'ended':
      return { ...emptyStage(state), phase: 'ended', endReason: event.reason, hands: [] };
    case 'chat_set':
      return { chat: event.mode, slowModeS: event.slow_mode_s };
    case 'hand_raised':
      return { hands: [...without(state.hands, event.user), { user: event.user, since: at }] };
    case 'hand_lowered':
      return { hands: without(state.hands, event.user) };
    case 'all_hands_lowered':
      return { hands: [] };
    case 'floor_given':
      return { ...update(state, event.user, { floor: true }), hands: without(state.hands, event.user) };
    case 'floor_taken':
      return update(state, event.user, { floor: false, camera: null, published: [] });
    case 'camera_granted':
      return update(state, event.user, { camera: event.to });
    case 'camera_revoked':
      return { ...unpublish(state, event.user, 'camera', { camera: null }) };
    case 'published':
      return publish(state, event.user, { source: event.source, muted: event.muted });
    case 'unpublished':
      return unpublish(state, event.user, event.source);
    case 'muted_set':
      return mute(state, event.user, event.source, event.muted);
    case 'all_muted':
      return muteStudents(state);
    case 'removed':
      return removed(state, event);
    case 'readmitted':
      return { keptOut: state.keptOut.filter((user) => user !== event.user) };
    case 'locked_set':
      return { locked: event.locked };
    default:
      return {};
  }
}

function attached(state: LessonState, event: Extract<Event, { type: 'attached' }>): Change {
  const before = state.participants.get(event.user);
  const participant: Participant = {
    ...(before ?? { floor: false, camera: null, published: [] }),
    user: event.user,
    role: event.role,
    visit: event.visit,
    present: true,
  };
  return counted(state, new Map(state.participants).set(event.user, participant));
}

function left(state: LessonState, event: Extract<Event, { type: 'left' }>, at: number): Change {
  const participant = state.participants.get(event.user);
  if (!participant) return {};
  const participants = new Map(state.participants);
  if (event.reason === 'cut' || event.reason === 'replaced') {
    participants.set(event.user, { ...participant, present: false, published: [] });
    return { ...counted(state, participants), cutSince: new Map(state.cutSince).set(event.user, at) };
  }
  participants.delete(event.user);
  return { ...counted(state, participants), hands: without(state.hands, event.user) };
}

function removed(state: LessonState, event: Extract<Event, { type: 'removed' }>): Change {
  const participants = new Map(state.participants);
  participants.delete(event.user);
  const keptOut = event.keep_out ? [...new Set([...state.keptOut, event.user])] : state.keptOut;
  return { ...counted(state, participants), keptOut, hands: without(state.hands, event.user) };
}

/** Counts students where all of them are known; a crowd's student is told the number instead. */
function counted(state: LessonState, participants: ReadonlyMap<string, Participant>): Change {
  const known = (map: ReadonlyMap<string, Participant>) =>
    [...map.values()].filter(({ role, present }) => role === 'student' && present).length;
  return { participants, studentsPresent: state.studentsPresent + known(participants) - known(state.participants) };
}

function update(state: LessonState, user: string, part: Partial<Participant>): Change {
  const participant = state.participants.get(user);
  if (!participant) return {};
  return { participants: new Map(state.participants).set(user, { ...participant, ...part }) };
}

function publish(state: LessonState, user: string, track: PublishedTrack): Change {
  const others = (state.participants.get(user)?.published ?? []).filter(({ source }) => source !== track.source);
  return update(state, user, { published: [...others, track] });
}

function unpublish(state: LessonState, user: string, source: Source, part: Partial<Participant> = {}): Change {
  const published = (state.participants.get(user)?.published ?? []).filter((track) => track.source !== source);
  return update(state, user, { ...part, published });
}

function mute(state: LessonState, user: string, source: Source, muted: boolean): Change {
  const published = (state.participants.get(user)?.published ?? []).map((track) =>
    track.source === source ? { source, muted } : track,
  );
  return update(state, user, { published });
}

function muteStudents(state: LessonState): Change {
  const participants = new Map(state.participants);
  for (const [user, participant] of participants) {
    if (participant.role !== 'student') continue;
    const published = participant.published.map((track) =>
      track.source === 'microphone' ? { ...track, muted: true } : track,
    );
    participants.set(user, { ...participant, published });
  }
  return { participants };
}

/** Nobody speaks any more. */
function emptyStage(state: LessonState): Change {
  const quiet = { floor: false, camera: null, published: [] };
  return { participants: new Map([...state.participants].map(([user, person]) => [user, { ...person, ...quiet }])) };
}

function without(hands: readonly Hand[], user: string): readonly Hand[] {
  return hands.filter((hand) => hand.user !== user);
}

/** A person's track, if it is published. */
export function trackOf(state: LessonState, user: string, source: Source): PublishedTrack | undefined {
  return state.participants.get(user)?.published.find((track) => track.source === source);
}
