import { describe, expect, test } from 'vitest';
import { concernOf } from '../src/lesson/concerns.ts';
import type { Event } from '../src/protocol/generated.ts';

const T = 'teacher';
const ME = 'student';
const me = { user: ME, role: 'student', published: ['microphone', 'camera'] } as const;
const NOTHING = { notices: [], letGo: [], silence: false };

describe('what an event asks of my own page', () => {
  test.each<[string, Event, object]>([
    ['the floor given', { type: 'floor_given', user: ME, by: T }, { ...NOTHING, notices: [{ kind: 'floor_given' }] }],
    [
      'the floor taken back',
      { type: 'floor_taken', user: ME, by: T },
      { ...NOTHING, letGo: ['microphone', 'camera'], notices: [{ kind: 'floor_taken' }] },
    ],
    [
      'the floor given back by myself: no word',
      { type: 'floor_taken', user: ME, by: ME },
      { ...NOTHING, letGo: ['microphone', 'camera'] },
    ],
    [
      'muted by the teacher',
      { type: 'muted_set', user: ME, source: 'microphone', muted: true, by: T },
      { ...NOTHING, silence: true },
    ],
    ['muted by myself', { type: 'muted_set', user: ME, source: 'microphone', muted: true, by: ME }, NOTHING],
    ['all muted', { type: 'all_muted', by: T }, { ...NOTHING, silence: true }],
    [
      'the camera stopped',
      { type: 'unpublished', user: ME, source: 'camera', by: T },
      { ...NOTHING, letGo: ['camera'], notices: [{ kind: 'camera_stopped' }] },
    ],
    [
      'the screen stopped',
      { type: 'unpublished', user: ME, source: 'screen', by: T },
      { ...NOTHING, letGo: ['screen'], notices: [{ kind: 'screen_stopped' }] },
    ],
    ['stopped by myself', { type: 'unpublished', user: ME, source: 'camera', by: ME }, NOTHING],
    ['the floor of somebody else', { type: 'floor_taken', user: 'other', by: T }, NOTHING],
  ])('%s', (_, event, expected) => {
    expect(concernOf(event, me)).toEqual(expected);
  });

  test('a teacher who mutes all is not muted', () => {
    expect(concernOf({ type: 'all_muted', by: 'other' }, { user: T, role: 'teacher', published: [] })).toEqual(NOTHING);
  });

  test('a visit is told to everybody but the visitor', () => {
    const visit: Event = {
      type: 'attached',
      user: 'director',
      role: 'director',
      visit: true,
      session: 's',
      attach: 1,
      incarnation: 'i',
    };
    expect(concernOf(visit, me).notices).toEqual([{ kind: 'visit', user: 'director', role: 'director' }]);
    expect(concernOf(visit, { user: 'director', role: 'director', published: [] })).toEqual(NOTHING);
  });
});
