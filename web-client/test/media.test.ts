import { describe, expect, test } from 'vitest';
import { ladder } from '../src/media/ladder.ts';
import { withoutPictures } from '../src/media/subscriber.ts';

const sent = (width: number, height: number, wanted?: boolean[]) =>
  ladder({ width, height }, wanted)
    .filter(({ active }) => active)
    .map(
      ({ rid, scaleResolutionDownBy }) => `${rid} ${width / scaleResolutionDownBy}x${height / scaleResolutionDownBy}`,
    );

describe('the camera’s ladder', () => {
  test('sends as many encodings as the capture fills, the smallest first', () => {
    expect(sent(1280, 720)).toEqual(['l 320x180', 'm 640x360', 'h 1280x720']);
    expect(sent(960, 540)).toHaveLength(3);
    expect(sent(640, 480)).toEqual(['l 320x240', 'm 640x480']);
    expect(sent(320, 180)).toEqual(['l 320x180']);
  });

  test('measures a phone held upright by its longer side', () => {
    expect(sent(360, 640)).toEqual(['l 180x320', 'm 360x640']);
  });

  test('lets rest what nobody receives, and never wakes what the capture cannot fill', () => {
    expect(sent(1280, 720, [true, false, true])).toEqual(['l 320x180', 'h 1280x720']);
    expect(sent(640, 360, [false, true, true])).toEqual(['m 640x360']);
    expect(sent(1280, 720, [false, false, false])).toEqual([]);
  });

  test('always has the three that were offered', () => {
    for (const width of [160, 640, 1920]) expect(ladder({ width }).map(({ rid }) => rid)).toEqual(['l', 'm', 'h']);
  });
});

test('where no picture is received their sections sleep, and nothing else changes', () => {
  const offer = 'v=0\r\nm=audio 9\r\na=mid:0\r\na=sendonly\r\nm=video 9\r\na=mid:4\r\na=sendonly\r\na=ssrc:1\r\n';
  const asleep = withoutPictures(offer);
  expect(asleep).toBe(
    'v=0\r\nm=audio 9\r\na=mid:0\r\na=sendonly\r\nm=video 9\r\na=mid:4\r\na=inactive\r\na=ssrc:1\r\n',
  );
});
