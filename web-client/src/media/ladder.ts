/** One sending encoding of a camera. */
export interface Rung {
  rid: 'l' | 'm' | 'h';
  scaleResolutionDownBy: number;
  /** Bits per second. */
  maxBitrate: number;
  active: boolean;
}

/** What the captured picture measures, as far as it is known. */
export interface CaptureSize {
  width?: number | undefined;
  height?: number | undefined;
}

interface Step {
  /** From this longer side on, in pixels: a smaller capture sends the top encoding not at all, without a word. */
  from: number;
  /** Smallest first: scale and bits per second. */
  rungs: readonly (readonly [scale: number, bitrate: number])[];
}

const K = 1_000;
const RIDS = ['l', 'm', 'h'] as const;
/** A picture of less is none. */
const LEAST = 30 * K;
const STEPS: readonly [Step, ...Step[]] = [
  {
    from: 960,
    rungs: [
      [4, 120 * K],
      [2, 400 * K],
      [1, 1_200 * K],
    ],
  }, // prettier-ignore
  {
    from: 480,
    rungs: [
      [2, 120 * K],
      [1, 350 * K],
    ],
  },
  { from: 0, rungs: [[1, 150 * K]] },
];

/**
 * The camera's encodings, smallest first. There are always three, because their number is fixed when the leg opens, possibly
 * before the camera; those that the capture cannot fill, those that nobody receives, and those for which `room`, bits per second, is too small,
 * rest. The smallest fits itself to any room.
 */
export function ladder(size: CaptureSize, wanted?: readonly boolean[], room = Number.POSITIVE_INFINITY): Rung[] {
  const side = Math.max(size.width ?? 1280, size.height ?? 0);
  const { rungs } = STEPS.find(({ from }) => side >= from) ?? STEPS[0];
  let left = room;
  return RIDS.map((rid, i) => {
    const [scaleResolutionDownBy, bitrate] = rungs[i] ?? [1, 1_200 * K];
    const maxBitrate = i === 0 ? Math.max(LEAST, Math.min(bitrate, room)) : bitrate;
    const active = i < rungs.length && (wanted?.[i] ?? true) && (i === 0 || bitrate <= left);
    if (active) left -= maxBitrate;
    return { rid, scaleResolutionDownBy, maxBitrate, active };
  });
}

/** What the camera's encodings are fitted to, beside its size. */
export interface Terms {
  /** Layers that somebody receives; all, until told. */
  wanted?: readonly boolean[] | undefined;
  /** Bits per second that the network was measured to bear beside the voice; unknown, unless it was measured. */
  room?: number | undefined;
  /** Instead of the first agreed codec, VP8. */
  codec?: RTCRtpCodec | undefined;
}

/** Brings a sender's encodings in line with what it sends now. */
export async function fit(sender: RTCRtpSender, size: CaptureSize, { wanted, room, codec }: Terms): Promise<void> {
  const parameters = sender.getParameters();
  const rungs = ladder(size, wanted, room);
  parameters.encodings.forEach((encoding, i) => {
    const rung = rungs[i];
    if (rung) Object.assign(encoding, rung);
    if (codec) Object.assign(encoding, { codec });
  });
  await sender.setParameters(parameters).catch(() => undefined);
}
