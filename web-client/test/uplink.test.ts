import { beforeEach, describe, expect, test, vi } from 'vitest';
import { OwnMedia } from '../src/lesson/ownMedia.ts';
import { ladder } from '../src/media/ladder.ts';
import type { PublisherLeg } from '../src/media/publisher.ts';
import { ownLoss, Uplink, type UplinkState } from '../src/media/uplink.ts';
import type { Command, Participant, Source } from '../src/protocol/generated.ts';

const CALM: UplinkState = { strained: false, resting: false };
const RESTS: UplinkState = { strained: true, resting: true };
const HELPED: UplinkState = { strained: false, resting: true };

describe('a link judged by the voice', () => {
  let uplink: Uplink;
  let now: number;
  /** So many reports, one a second; the last judgement. */
  const report = (count: number, lost: number, roundTripMs: number): UplinkState => {
    let state = CALM;
    for (let i = 0; i < count; i += 1) {
      now += 1_000;
      state = uplink.look({ now, lost, roundTripMs });
    }
    return state;
  };
  beforeEach(() => {
    uplink = new Uplink();
    now = 0;
    report(5, 0, 50);
  });

  test('is full where packets wait and are lost, after two reports', () => {
    expect(report(1, 0.1, 300)).toEqual(CALM);
    expect(report(1, 0.1, 300)).toEqual(RESTS);
  });

  test('is not full for losses alone that a voice bears, nor for a delay alone', () => {
    expect(report(30, 0.25, 60)).toEqual(CALM);
    expect(report(30, 0, 900)).toEqual(CALM);
  });

  test('bears no picture where more is lost than a voice bears', () => {
    expect(report(2, 0.4, 50)).toEqual(RESTS);
  });

  test('lets pictures try again after ten seconds, then after twice as long, until they were borne', () => {
    const rest = () => {
      expect(report(2, 0.4, 300)).toEqual(RESTS);
      expect(report(3, 0, 50)).toEqual(HELPED);
      for (let seconds = 4; ; seconds += 1) if (!report(1, 0, 50).resting) return seconds;
    };
    expect([rest(), rest(), rest()]).toEqual([10, 20, 40]);
    report(60, 0, 50);
    expect(rest()).toBe(10);
  });
});

test('what listeners lose is not taken for a loss on the way to the server', () => {
  const before = { sent: 1_000, lost: 20 };
  expect(ownLoss(before, { sent: 1_050, lost: 20 }, 0.25)).toBe(0);
  expect(ownLoss(before, { sent: 1_050, lost: 25 }, 0.25)).toBeCloseTo(0.1);
  // The report knew of more than what was sent since the last look.
  expect(ownLoss(before, { sent: 1_020, lost: 35 }, 0.3)).toBe(0.3);
  // Late packets came after all; a restarted microphone is counted anew.
  expect(ownLoss(before, { sent: 1_050, lost: 18 }, 0.1)).toBe(0);
  expect(ownLoss(before, { sent: 10, lost: 0 }, 0)).toBe(0);
});

describe('the own camera', () => {
  let tracks: Map<Source, MediaStreamTrack>;
  let log: Participant;
  let media: OwnMedia;
  const may = () => true;
  const isOn = () => tracks.has('camera') && log.published.length === 1;

  beforeEach(async () => {
    tracks = new Map();
    log = { user: 't', role: 'teacher', visit: false, present: true, floor: false, camera: null, published: [] };
    const publisher = {
      track: (source: Source) => tracks.get(source),
      put: async (source: Source, track: MediaStreamTrack) => void tracks.set(source, track),
      drop: async (source: Source) => void tracks.delete(source),
    } as unknown as PublisherLeg;
    const command = async (wish: Command) => {
      if (wish.type === 'publish') log.published = [{ source: wish.source, muted: wish.muted }];
      if (wish.type === 'unpublish') log.published = [];
      return 1;
    };
    const getUserMedia = async () => ({ getTracks: () => [{ enabled: true } as MediaStreamTrack] });
    vi.stubGlobal('matchMedia', () => ({ matches: false }));
    vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
    media = new OwnMedia({ publisher, command, me: () => log, onProblem: vi.fn(), onCapture: () => undefined });
    await media.setCamera(true);
    expect(isOn()).toBe(true);
  });

  test('is stopped for the voice, told so, and comes back by itself', async () => {
    await media.followUplink(RESTS, may);
    expect([isOn(), media.strain.value]).toEqual([false, 'camera']);
    await media.followUplink(HELPED, may);
    expect([isOn(), media.strain.value]).toEqual([false, 'camera']);
    await media.followUplink(CALM, may);
    expect([isOn(), media.strain.value]).toEqual([true, undefined]);
  });

  test('stays off where somebody switched it off meanwhile', async () => {
    await media.followUplink(RESTS, may);
    await media.setCamera(false);
    await media.followUplink(CALM, may);
    expect(isOn()).toBe(false);
  });

  test('that is off has nothing to give: that the voice suffers is told', async () => {
    await media.setCamera(false);
    await media.followUplink(RESTS, may);
    expect(media.strain.value).toBe('voice');
    await media.followUplink(HELPED, may);
    expect(media.strain.value).toBeUndefined();
  });

  test('that is off leaves a shared screen, which comes late as long as pictures rest: that is told', async () => {
    await media.setCamera(false);
    tracks.set('screen', {} as MediaStreamTrack);
    await media.followUplink(RESTS, may);
    await media.followUplink(HELPED, may);
    expect(media.strain.value).toBe('screen');
    await media.followUplink(CALM, may);
    expect(media.strain.value).toBeUndefined();
  });
});

test('a camera sends what the measured network bears, its smallest encoding in any case', () => {
  const sent = (room: number) =>
    ladder({ width: 1280, height: 720 }, undefined, room)
      .filter(({ active }) => active)
      .map(({ rid, maxBitrate }) => [rid, maxBitrate]); // prettier-ignore
  expect(sent(2_000_000)).toHaveLength(3);
  expect(sent(600_000)).toEqual([
    ['l', 120_000],
    ['m', 400_000],
  ]); // prettier-ignore
  expect(sent(100_000)).toEqual([['l', 100_000]]);
  expect(sent(0)).toEqual([['l', 30_000]]);
});
