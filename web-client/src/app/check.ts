import { signal } from '@preact/signals';
import { captureCamera, captureMicrophone, DeviceError, type DeviceProblem } from '../media/capture.ts';
import { followLevel, ringBell } from '../media/level.ts';
import { measureNetwork, type NetworkResult } from '../media/network.ts';
import { chooseDevice, chosenDevices, type DeviceKind, rereadDevices } from './devices.ts';

/** What somebody wants to start the lesson with. */
export interface Wish {
  microphone: boolean;
  camera: boolean;
  /** Bits per second on the way to the server, where that was measured. */
  uplink?: number | undefined;
}

/** The device check: opens what is asked for, measures, and gives everything back when it closes. */
export class DeviceCheck {
  readonly camera = signal<MediaStream | undefined>(undefined);
  readonly microphoneOn = signal(false);
  readonly level = signal(0);
  readonly problem = signal<DeviceProblem | undefined>(undefined);
  readonly bell = signal(false);
  readonly network = signal<'idle' | 'running' | NetworkResult>('idle');
  /** What is on, or on its way: somebody who joins before a slow camera answers still wants it. */
  readonly #wanted: Pick<Wish, 'microphone' | 'camera'> = { microphone: false, camera: false };
  /** A microphone that works says nothing of a camera that does not. */
  readonly #problems = new Map<'microphone' | 'camera', DeviceProblem>();
  #microphone: MediaStreamTrack | undefined;
  #closed = false;
  #stopLevel: (() => void) | undefined;

  async setCamera(on: boolean): Promise<void> {
    this.#stopCamera();
    this.#wanted.camera = on;
    if (!on) return;
    await this.#try('camera', async () => {
      const track = await captureCamera(chosenDevices.value.camera);
      this.#stopCamera();
      if (this.#wanted.camera && !this.#closed) this.camera.value = new MediaStream([track]);
      else track.stop();
    });
  }

  async setMicrophone(on: boolean): Promise<void> {
    this.#stopMicrophone();
    this.#wanted.microphone = on;
    if (!on) return;
    await this.#try('microphone', async () => {
      const track = await captureMicrophone(chosenDevices.value.microphone);
      this.#stopMicrophone();
      if (this.#wanted.microphone && !this.#closed) this.#follow(track);
      else track.stop();
    });
  }

  #follow(track: MediaStreamTrack): void {
    this.#microphone = track;
    this.microphoneOn.value = true;
    this.#stopLevel = followLevel(track, (level) => {
      this.level.value = level;
    });
  }

  /** Another device at once, where that kind is in use. */
  async choose(kind: DeviceKind, id: string): Promise<void> {
    chooseDevice(kind, id);
    if (kind === 'camera' && this.camera.value) await this.setCamera(true);
    if (kind === 'microphone' && this.microphoneOn.value) await this.setMicrophone(true);
  }

  /** Once more, what did not start. */
  async retry(): Promise<void> {
    const kinds = [...this.#problems.keys()];
    await Promise.all(kinds.map((kind) => (kind === 'camera' ? this.setCamera(true) : this.setMicrophone(true))));
  }

  async playBell(): Promise<void> {
    this.bell.value = true;
    await ringBell(chosenDevices.value.speaker);
  }

  async measure(): Promise<void> {
    if (this.network.value === 'running') return;
    this.network.value = 'running';
    this.network.value = await measureNetwork();
  }

  /** What is on, or coming on, is what the lesson starts with. */
  wish(): Wish {
    const network = this.network.value;
    const upMbit = typeof network === 'object' ? network.upMbit : undefined;
    return { ...this.#wanted, ...(upMbit !== undefined && { uplink: upMbit * 1_000_000 }) };
  }

  /** Gives the devices back; the lesson opens its own. */
  close(): void {
    this.#closed = true;
    this.#stopCamera();
    this.#stopMicrophone();
  }

  #stopCamera(): void {
    for (const track of this.camera.value?.getTracks() ?? []) track.stop();
    this.camera.value = undefined;
  }

  #stopMicrophone(): void {
    this.#stopLevel?.();
    this.#stopLevel = undefined;
    this.#microphone?.stop();
    this.#microphone = undefined;
    this.microphoneOn.value = false;
    this.level.value = 0;
  }

  async #try(kind: 'microphone' | 'camera', open: () => Promise<void>): Promise<void> {
    try {
      await open();
      this.#tell(kind, undefined);
      await rereadDevices();
    } catch (error) {
      this.#wanted[kind] = false;
      this.#tell(kind, error instanceof DeviceError ? error.problem : 'failed');
    }
  }

  #tell(kind: 'microphone' | 'camera', problem: DeviceProblem | undefined): void {
    if (problem) this.#problems.set(kind, problem);
    else this.#problems.delete(kind);
    this.problem.value = this.#problems.get('microphone') ?? this.#problems.get('camera');
  }
}
