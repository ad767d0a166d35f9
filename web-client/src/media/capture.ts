/** Why a device did not start; each has words and a next step in the messages. */
export type DeviceProblem = 'denied' | 'notFound' | 'busy' | 'insecure' | 'failed';

/** A capture that did not start. */
export class DeviceError extends Error {
  readonly problem: DeviceProblem;

  constructor(problem: DeviceProblem) {
    super(problem);
    this.problem = problem;
  }
}

/** How much picture a device may send. */
export type CaptureProfile = 'laptop' | 'phone' | 'saver';

const PICTURES: Record<CaptureProfile, MediaTrackConstraints> = {
  laptop: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 24, max: 30 } },
  phone: { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 15, max: 20 } },
  saver: { width: { ideal: 320 }, height: { ideal: 180 }, frameRate: { ideal: 10, max: 12 } },
};

/** A phone by its primary pointer and its screen, not by its name. */
export function profile(): CaptureProfile {
  const saves = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
  if (saves) return 'saver';
  return matchMedia('(pointer: coarse)').matches && Math.min(screen.width, screen.height) < 600 ? 'phone' : 'laptop';
}

/** The microphone, with the browser's own echo cancellation and noise suppression. '' = the default device. */
export function captureMicrophone(device: string): Promise<MediaStreamTrack> {
  const audio: MediaTrackConstraints = {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    channelCount: 1,
    ...(device && { deviceId: { exact: device } }),
  };
  return first(() => navigator.mediaDevices.getUserMedia({ audio }), device ? () => captureMicrophone('') : undefined);
}

/** The camera. '' = the default device. */
export function captureCamera(device: string): Promise<MediaStreamTrack> {
  const video = { ...PICTURES[profile()], ...(device && { deviceId: { exact: device } }) };
  return first(() => navigator.mediaDevices.getUserMedia({ video }), device ? () => captureCamera('') : undefined);
}

/** Screen, window or tab, with its sound where the browser gives it. Needs a tap. */
export async function captureScreen(): Promise<{ video: MediaStreamTrack; audio: MediaStreamTrack | undefined }> {
  const stream = await attempt(() =>
    navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 8, max: 15 } }, audio: true }),
  );
  const [video] = stream.getVideoTracks();
  if (!video) throw new DeviceError('failed');
  video.contentHint = 'detail';
  return { video, audio: stream.getAudioTracks()[0] };
}

/** False on phones, whose browsers have no screen capture. */
export function canCaptureScreen(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function' && !/Android/i.test(navigator.userAgent);
}

/** The one track of a capture; a chosen device that is gone falls back to the default one. */
async function first(
  capture: () => Promise<MediaStream>,
  otherwise?: () => Promise<MediaStreamTrack>,
): Promise<MediaStreamTrack> {
  try {
    const [track] = (await attempt(capture)).getTracks();
    if (!track) throw new DeviceError('failed');
    return track;
  } catch (error) {
    if (otherwise && error instanceof DeviceError && error.problem === 'notFound') return otherwise();
    throw error;
  }
}

async function attempt(capture: () => Promise<MediaStream>): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new DeviceError('insecure');
  try {
    return await capture();
  } catch (error) {
    throw new DeviceError(problemOf((error as DOMException).name));
  }
}

function problemOf(name: string): DeviceProblem {
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'notFound';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}

/** A device to choose from. */
export interface Device {
  id: string;
  label: string;
}

export interface Devices {
  cameras: Device[];
  microphones: Device[];
  /** Empty where the browser cannot choose. */
  speakers: Device[];
}

/** The devices of this machine; labels are empty until a permission was given. */
export async function devices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const of = (kind: MediaDeviceKind) =>
    all
      .filter((device) => device.kind === kind && device.deviceId)
      .map(({ deviceId, label }) => ({ id: deviceId, label }));
  return { cameras: of('videoinput'), microphones: of('audioinput'), speakers: of('audiooutput') };
}
