import { beforeEach, expect, test, vi } from 'vitest';
import type { DeviceError } from '../src/media/capture.ts';
import type { PublisherLeg } from '../src/media/publisher.ts';
import type { Command, Participant, Source } from '../src/protocol/generated.ts';
import { OwnMedia } from '../src/lesson/ownMedia.ts';

/** A leg that carries nothing, a log that takes every command, and a microphone that a call can take away. */
let tracks: Map<Source, MediaStreamTrack>;
let log: Participant;
let taken: boolean;
let silent: boolean;
let problems: string[];
let media: OwnMedia;

const publisher = {
  track: (source: Source) => tracks.get(source),
  put: async (source: Source, track: MediaStreamTrack) => void tracks.set(source, track),
  drop: async (source: Source) => void tracks.delete(source),
  setEnabled: () => undefined,
} as unknown as PublisherLeg;

async function command(wish: Command): Promise<number> {
  if (wish.type === 'publish') log.published = [{ source: wish.source, muted: wish.muted }];
  if (wish.type === 'unpublish') log.published = [];
  return 1;
}

beforeEach(async () => {
  tracks = new Map();
  [taken, silent, problems] = [false, false, []];
  log = { user: 't', role: 'teacher', visit: false, present: true, floor: false, camera: null, published: [] };
  const getUserMedia = async () => {
    if (taken) throw new DOMException('a call', 'NotReadableError');
    return { getTracks: () => [{ enabled: true, muted: silent } as MediaStreamTrack] };
  };
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
  const onProblem = (_: Source, error: DeviceError) => problems.push(error.problem);
  media = new OwnMedia({ publisher, command, me: () => log, onProblem, onCapture: () => undefined });
  await media.setMicrophone(true);
});

const isOn = () => log.published.length === 1 && tracks.has('microphone');

test('a capture that ends is begun again at once', async () => {
  tracks.delete('microphone');
  await media.ended('microphone');
  expect(isOn()).toBe(true);
});

test('a call that keeps the microphone is told to the class as off, and it comes back when the page is looked at', async () => {
  taken = true;
  await media.ended('microphone');
  expect(problems).toEqual(['busy']);
  expect(log.published).toEqual([]);
  await media.takeBack(() => true);
  expect(isOn()).toBe(false);
  taken = false;
  await media.takeBack(() => true);
  expect(isOn()).toBe(true);
});

test('what was taken by a call does not come back where the floor is gone, or was let go meanwhile', async () => {
  taken = true;
  await media.ended('microphone');
  taken = false;
  await media.takeBack(() => false);
  expect(tracks.size).toBe(0);
  taken = true;
  await media.setMicrophone(true);
  await media.letGo(['microphone']);
  taken = false;
  await media.takeBack(() => true);
  expect(tracks.size).toBe(0);
});

test('a microphone that the system holds silent is captured again; one that stays silent says why', async () => {
  const before = tracks.get('microphone');
  await media.silenced('microphone');
  expect(tracks.get('microphone')).not.toBe(before);
  expect(problems).toEqual([]);
  silent = true;
  await media.silenced('microphone');
  expect(problems).toEqual(['busy']);
  expect(isOn()).toBe(true);
});
