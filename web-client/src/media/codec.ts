import type { VideoCodec } from '../protocol/generated.ts';

/** The size and rate that the encoder is asked about: a phone's middle rung. */
const ASKED = { width: 640, height: 360, bitrate: 400_000, framerate: 15 } as const;

/**
 * What the camera is encoded in, out of what everybody decodes: H.264 on a device whose encoder for it is in hardware, and
 * that for VP8 is not (a phone stays cool so), else VP8. Nothing on a device that never chooses: VP8 is what was agreed.
 */
export async function cameraCodec(decoded: readonly VideoCodec[]): Promise<RTCRtpCodec | undefined> {
  const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const h264 = codecs.find(isOurH264);
  if (!h264 || !(await prefersH264())) return undefined;
  // Said in so many words: a browser that was told H.264 once stays with it when the word is taken back.
  return decoded.includes('h264') ? h264 : codecs.find(({ mimeType }) => mimeType.toLowerCase() === 'video/vp8');
}

async function prefersH264(): Promise<boolean> {
  if (!('mediaCapabilities' in navigator)) return false;
  const [h264, vp8] = await Promise.all([isEfficient('video/H264'), isEfficient('video/VP8')]);
  return h264 && !vp8;
}

function isOurH264({ mimeType, sdpFmtpLine = '' }: RTCRtpCodec): boolean {
  const parameters = sdpFmtpLine.toLowerCase();
  return (
    mimeType.toLowerCase() === 'video/h264' &&
    parameters.includes('packetization-mode=1') &&
    parameters.includes('profile-level-id=42e01f')
  );
}

async function isEfficient(contentType: string): Promise<boolean> {
  const asked: MediaEncodingConfiguration = { type: 'webrtc', video: { contentType, ...ASKED } };
  return navigator.mediaCapabilities.encodingInfo(asked).then(
    ({ supported, powerEfficient }) => supported && powerEfficient,
    () => false,
  );
}
