import { describe, expect, test } from 'vitest';
import type { Event, Participant, Snapshot } from '../src/protocol/generated.ts';
import { addPage, addPending, applyToChat, EMPTY_CHAT, markPending } from '../src/room/chat.ts';
import { apply, fromSnapshot, type LessonState, trackOf, withParticipants } from '../src/room/state.ts';

const T = 'teacher';
const S = 'student';
const person = (user: string, part: Partial<Participant> = {}): Participant => ({
  user,
  role: user === T ? 'teacher' : 'student',
  visit: false,
  present: true,
  floor: false,
  camera: null,
  published: [],
  ...part,
});

function lesson(participants: Participant[] = [person(T), person(S)], part: Partial<Snapshot> = {}): LessonState {
  return fromSnapshot({
    position: { number: 10, chain: 'c10' },
    phase: 'open',
    locked: false,
    chat: 'open',
    slow_mode_s: 0,
    participants,
    hands: [],
    kept_out: [],
    students_present: participants.filter(({ role, present }) => role === 'student' && present).length,
    ...part,
  });
}

const logged = (number: number, event: Event, command = `k${number}`) =>
  ({ number, chain: `c${number}`, at: number * 1_000, sender: null, command, event }) as const;

function after(state: LessonState, ...events: Event[]): LessonState {
  return events.reduce((now, event) => apply(now, logged(now.position.number + 1, event)), state);
}

const attached = (user: string): Event => ({
  type: 'attached',
  user,
  role: 'student',
  visit: false,
  session: 's',
  attach: 1,
  incarnation: 'i',
});
const left = (user: string, reason: 'chosen' | 'cut'): Event => ({
  type: 'left',
  user,
  session: 's',
  attach: 1,
  reason,
});

describe('the fold of a lesson', () => {
  test('stands where its last event is, whatever it is', () => {
    expect(after(lesson(), { type: 'withheld' }).position).toEqual({ number: 11, chain: 'c11' });
  });

  test('keeps hand and floor of somebody whose line was cut, but not what they sent', () => {
    const speaking = person(S, { floor: true, published: [{ source: 'microphone', muted: false }] });
    const state = after(lesson([person(T), speaking]), left(S, 'cut'));
    expect(state.participants.get(S)).toMatchObject({ present: false, floor: true, published: [] });
    expect(state.studentsPresent).toBe(0);
    expect(state.cutSince.get(S)).toBe(11_000);
    expect(after(state, attached(S)).participants.get(S)).toMatchObject({ present: true, floor: true });
  });

  test('forgets who left on purpose', () => {
    const state = after(lesson(), { type: 'hand_raised', user: S }, left(S, 'chosen'), attached(S));
    expect(state.participants.get(S)).toMatchObject({ floor: false, camera: null });
    expect(state.hands).toEqual([]);
    expect(state.studentsPresent).toBe(1);
  });

  test('counts on from the given number where a crowd is not listed', () => {
    const crowd = lesson([person(T), person(S)], { students_present: 400 });
    expect(after(crowd, attached('another')).studentsPresent).toBe(401);
  });

  test('a page of a large lesson adds people, as they are now, and leaves the number to who counts', () => {
    const large = lesson([person(T)], { students_present: 1_500 });
    const page = withParticipants(large, [person(T, { floor: true }), person('another')]);
    expect(page.participants.get(T)?.floor).toBe(true);
    expect(page.participants.has('another')).toBe(true);
    expect(page.studentsPresent).toBe(1_500);
    expect(page.position).toEqual(large.position);
  });

  test('hands queue in their order; the floor takes one out', () => {
    const state = after(
      lesson([person(T), person('a'), person('b'), person('c')]),
      { type: 'hand_raised', user: 'b' },
      { type: 'hand_raised', user: 'a' },
      { type: 'hand_raised', user: 'c' },
      { type: 'floor_given', user: 'a', by: T },
    );
    expect(state.hands.map(({ user }) => user)).toEqual(['b', 'c']);
    expect(state.participants.get('a')?.floor).toBe(true);
    expect(after(state, { type: 'all_hands_lowered', by: T }).hands).toEqual([]);
  });

  test('the floor taken back ends everything that was sent with it', () => {
    const sends = person(S, {
      floor: true,
      camera: 'everyone',
      published: [
        { source: 'microphone', muted: false },
        { source: 'screen', muted: false },
      ],
    });
    const state = after(lesson([person(T), sends]), { type: 'floor_taken', user: S, by: T });
    expect(state.participants.get(S)).toMatchObject({ floor: false, camera: null, published: [] });
  });

  test('a camera grant withdrawn ends the camera only', () => {
    const sends = person(S, {
      floor: true,
      camera: 'teachers',
      published: [
        { source: 'microphone', muted: false },
        { source: 'camera', muted: false },
      ],
    });
    const state = after(lesson([person(T), sends]), { type: 'camera_revoked', user: S, by: T });
    expect(state.participants.get(S)).toMatchObject({ camera: null, floor: true });
    expect(trackOf(state, S, 'camera')).toBeUndefined();
    expect(trackOf(state, S, 'microphone')).toEqual({ source: 'microphone', muted: false });
  });

  test('mute all mutes students, not the teacher, and no screen sound', () => {
    const sends = (user: string) =>
      person(user, {
        published: [
          { source: 'microphone', muted: false },
          { source: 'screen_audio', muted: false },
        ],
      });
    const state = after(lesson([sends(T), sends(S)]), { type: 'all_muted', by: T });
    expect(trackOf(state, S, 'microphone')?.muted).toBe(true);
    expect(trackOf(state, S, 'screen_audio')?.muted).toBe(false);
    expect(trackOf(state, T, 'microphone')?.muted).toBe(false);
  });

  test('publishing twice is one track', () => {
    const state = after(
      lesson(),
      { type: 'published', user: T, source: 'camera', muted: true },
      { type: 'published', user: T, source: 'camera', muted: false },
    );
    expect(state.participants.get(T)?.published).toEqual([{ source: 'camera', muted: false }]);
  });

  test('kept out is listed once and readmitted', () => {
    const out: Event = { type: 'removed', user: S, by: T, reason: 'disturbing', note: null, keep_out: true };
    const state = after(lesson(), out, out);
    expect(state.keptOut).toEqual([S]);
    expect(state.participants.has(S)).toBe(false);
    expect(after(state, { type: 'readmitted', user: S, by: T }).keptOut).toEqual([]);
  });

  test('an ended lesson has nobody on the floor and says why', () => {
    const state = after(lesson([person(T), person(S, { floor: true })]), {
      type: 'ended',
      by: null,
      reason: 'time_over',
    });
    expect(state).toMatchObject({ phase: 'ended', endReason: 'time_over', hands: [] });
    expect(state.participants.get(S)?.floor).toBe(false);
  });

  test('changes nothing of the state before', () => {
    const before = lesson();
    const copy = structuredClone(before);
    after(before, { type: 'hand_raised', user: S }, { type: 'locked_set', locked: true, by: T }, left(S, 'cut'));
    expect(before).toEqual(copy);
  });
});

describe('the chat', () => {
  const said = (number: number, text: string) =>
    logged(number, { type: 'said', user: S, to: 'everyone', text }, `key-${text}`);
  const pending = (text: string) => ({ key: `key-${text}`, user: S, to: 'everyone' as const, text, at: 0 });

  test('a line of one’s own turns from pending into said, at its place in the log', () => {
    let chat = addPending(EMPTY_CHAT, pending('mine'));
    chat = applyToChat(chat, said(1, 'theirs'));
    expect(chat.pending).toHaveLength(1);
    chat = applyToChat(chat, said(2, 'mine'));
    expect(chat.pending).toEqual([]);
    expect(chat.lines.map(({ text }) => text)).toEqual(['theirs', 'mine']);
  });

  test('a page that overlaps what is known doubles nothing and keeps the order', () => {
    let chat = applyToChat(EMPTY_CHAT, said(5, 'e'));
    chat = addPage(chat, [said(3, 'c'), said(4, 'd'), said(5, 'e')], true);
    chat = addPage(chat, [said(1, 'a'), said(2, 'b')], false);
    expect(chat.lines.map(({ text }) => text).join('')).toBe('abcde');
    expect(chat.more).toBe(false);
  });

  test('a page that holds a pending line settles it', () => {
    const chat = addPage(addPending(EMPTY_CHAT, pending('mine')), [said(7, 'mine')], false);
    expect(chat.pending).toEqual([]);
  });

  test('a deleted line keeps its place without its text', () => {
    const chat = applyToChat(
      applyToChat(EMPTY_CHAT, said(1, 'x')),
      logged(2, { type: 'line_deleted', number: 1, by: T }),
    );
    expect(chat.lines).toMatchObject([{ number: 1, text: null }]);
  });

  test('lines of an erased person lose their text and nobody else’s do', () => {
    const by = (user: string, number: number) => logged(number, { type: 'said', user, to: 'everyone', text: 'x' });
    const events = [by(S, 1), by(T, 2), by(S, 3), logged(4, { type: 'erased', user: S })];
    expect(events.reduce(applyToChat, EMPTY_CHAT).lines.map(({ text }) => text)).toEqual([null, 'x', null]);
  });

  test('a refused line says why', () => {
    const chat = markPending(addPending(EMPTY_CHAT, pending('x')), 'key-x', 'failed', 'slow_mode');
    expect(chat.pending).toMatchObject([{ state: 'failed', failure: 'slow_mode' }]);
  });
});
