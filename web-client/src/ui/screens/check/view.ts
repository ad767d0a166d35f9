import type { ReadonlySignal } from '@preact/signals';
import type { Option } from '../../kit/Select.tsx';

/** Why a device did not start, in the words of the messages `device.<problem>Title` and `…Help`. */
export type DeviceProblem = 'denied' | 'notFound' | 'busy' | 'insecure' | 'failed';

/** The plain verdict of the five-second test. */
export type NetworkVerdict = 'good' | 'fair' | 'poor' | 'blocked';

/** A measured network. */
export interface NetworkResult {
  verdict: NetworkVerdict;
  downMbit?: number;
  upMbit?: number;
  delayMs?: number;
}

/** Everything the device check draws. */
export interface CheckView {
  teacher: boolean;
  subject: string;
  group: string;
  running: boolean;
  camera: MediaStream | undefined;
  cameraOn: boolean;
  microphoneOn: boolean;
  /** 0 to 1. */
  level: ReadonlySignal<number>;
  problem: DeviceProblem | undefined;
  cameras: readonly Option[];
  microphones: readonly Option[];
  /** Empty where the browser cannot choose. */
  speakers: readonly Option[];
  chosen: { camera: string; microphone: string; speaker: string };
  bell: boolean;
  network: 'idle' | 'running' | NetworkResult;
  entering: boolean;
}

/** What the device check can ask for. */
export interface CheckActions {
  setCamera(on: boolean): void;
  setMicrophone(on: boolean): void;
  choose(kind: 'camera' | 'microphone' | 'speaker', id: string): void;
  /** Once more, what did not start. */
  retry(): void;
  playBell(): void;
  measureNetwork(): void;
  join(): void;
  listenOnly(): void;
  back(): void;
}
