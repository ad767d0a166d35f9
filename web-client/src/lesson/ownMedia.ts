import { type Signal, signal } from '@preact/signals';
import { captureCamera, captureMicrophone, captureScreen, DeviceError } from '../media/capture.ts';
import type { PublisherLeg } from '../media/publisher.ts';
import type { UplinkState } from '../media/uplink.ts';
import type { Command, Participant, Source } from '../protocol/generated.ts';
import { Refused } from '../signal/pending.ts';

/** What one's own devices need from the lesson. */
export interface OwnMediaPorts {
  publisher: PublisherLeg;
  command(command: Command): Promise<number>;
  /** How the log sees me; `undefined` before the welcome. */
  me(): Participant | undefined;
  onProblem(source: Source, error: DeviceError): void;
  /** A device has started: browsers let a page that captures play sound. */
  onCapture(): void;
}

/** What a page sends by itself again after a reload. */
export interface Sending {
  microphone?: { muted: boolean };
  camera?: { muted: boolean };
}

/**
 * What a weak network takes from who sends: `camera` was stopped, and will be back; the `screen` comes late, page by page; the `voice` may
 * not come whole.
 */
export type Strain = 'camera' | 'screen' | 'voice';

/** The devices somebody chose; '' = the default one. */
export interface ChosenDevices {
  camera: string;
  microphone: string;
  speaker: string;
}

/**
 * One's own microphone, camera and screen: what is captured here, kept in step with what the log says is published. The log
 * decides; a track that it does not know is published again or let go, one that it knows and this page has not (after a
 * reload) is captured again.
 */
export class OwnMedia {
  /** Sources on their way to being on. */
  readonly starting: Signal<ReadonlySet<Source>> = signal(new Set());
  /** Counts captures that came or went: own pictures must be drawn anew. */
  readonly captured = signal(0);
  /** The network hardly bears the own voice, or only beside little else. */
  readonly strain: Signal<Strain | undefined> = signal(undefined);
  chosen: ChosenDevices = { camera: '', microphone: '', speaker: '' };
  /** What a call or another app took from here, to be captured again when the page is looked at or a device comes; true = muted. */
  readonly #lost = new Map<'microphone' | 'camera', boolean>();
  readonly #ports: OwnMediaPorts;

  constructor(ports: OwnMediaPorts) {
    this.#ports = ports;
  }

  async setMicrophone(on: boolean): Promise<void> {
    const published = this.#published('microphone');
    this.#ports.publisher.setEnabled('microphone', on);
    if (!on && !published) return;
    if (this.#ports.publisher.track('microphone') && published) {
      await this.#ports.command({ type: 'set_muted', source: 'microphone', muted: !on });
    } else if (on) {
      await this.#start('microphone', false);
    }
  }

  async setCamera(on: boolean): Promise<void> {
    this.strain.value = undefined;
    await (on ? this.#start('camera', false) : this.#stop('camera'));
  }

  /** Voice first: a camera that takes its room is stopped, and started again when the network may bear it. */
  async followUplink({ strained, resting }: UplinkState, mayPublish: (source: Source) => boolean): Promise<void> {
    if (strained && this.#ports.publisher.track('camera')) {
      this.strain.value = 'camera';
      await this.#stop('camera');
    } else if (this.strain.value !== 'camera') {
      const slows = resting && this.#ports.publisher.track('screen');
      this.strain.value = slows ? 'screen' : strained ? 'voice' : undefined;
    } else if (!resting) {
      this.strain.value = undefined;
      if (mayPublish('camera')) await this.#start('camera', false);
    }
  }

  async setScreen(on: boolean): Promise<void> {
    if (on) {
      await this.#start('screen', false);
      return;
    }
    await this.#stop('screen');
    await this.#stop('screen_audio');
  }

  /** Changes a device while the lesson goes on; what is off stays off. */
  async choose(kind: keyof ChosenDevices, id: string): Promise<void> {
    this.chosen = { ...this.chosen, [kind]: id };
    if (kind === 'speaker' || !this.#ports.publisher.track(kind)) return;
    const muted = this.#published(kind)?.muted ?? false;
    await this.#capture(kind, muted);
  }

  /** The own picture of a source, for the self view. */
  track(source: Source): MediaStreamTrack | undefined {
    void this.captured.value;
    return this.#ports.publisher.track(source);
  }

  /** A capture ended by itself: the browser's own *stop sharing*; a microphone or camera is captured again. */
  async ended(source: Source): Promise<void> {
    if (source === 'microphone' || source === 'camera') await this.#again(source);
    else await this.#stop(source);
  }

  /** The system silenced a capture: another one may not be; if it is, the user reads why nobody hears. */
  async silenced(source: Source): Promise<void> {
    if (source !== 'microphone' && source !== 'camera') return;
    await this.#again(source);
    if (this.#ports.publisher.track(source)?.muted) this.#ports.onProblem(source, new DeviceError('busy'));
  }

  /** Captures again; what cannot be captured now is told to the class as off, and tried again later. */
  async #again(source: 'microphone' | 'camera'): Promise<void> {
    const published = this.#published(source);
    await this.#start(source, published?.muted ?? false);
    if (!published || this.#ports.publisher.track(source)) return;
    this.#lost.set(source, published.muted);
    await this.#ports.command({ type: 'unpublish', source }).catch(() => undefined);
  }

  /** After a call the devices are free again, or one was plugged back in; what is still not there is tried the next time. */
  async takeBack(mayPublish: (source: Source) => boolean): Promise<void> {
    const lost = [...this.#lost].filter(([source]) => mayPublish(source));
    this.#lost.clear();
    for (const [source, muted] of lost) {
      await this.#start(source, muted);
      if (!this.#ports.publisher.track(source)) this.#lost.set(source, muted);
    }
  }

  /** The log says that these are over (stopped by the teacher, floor taken): let the devices go. */
  async letGo(sources: readonly Source[]): Promise<void> {
    for (const source of sources) {
      if (source === 'microphone' || source === 'camera') this.#lost.delete(source);
      await this.#ports.publisher.drop(source);
    }
    this.captured.value += 1;
  }

  /** What this page sends now. */
  sending(): Sending {
    const microphone = this.#ports.publisher.track('microphone');
    const camera = this.#ports.publisher.track('camera');
    return {
      ...(microphone && { microphone: { muted: !microphone.enabled } }),
      ...(camera && { camera: { muted: false } }),
    };
  }

  /** After a welcome: makes this page and the log agree. `before` is what the page before a slow reload sent. */
  async reconcile(mayPublish: (source: Source) => boolean, before: Sending = {}): Promise<void> {
    for (const source of ['microphone', 'camera', 'screen', 'screen_audio'] as const) {
      const remembered = source === 'microphone' || source === 'camera' ? before[source] : undefined;
      const published = this.#published(source) ?? (mayPublish(source) ? remembered : undefined);
      const track = this.#ports.publisher.track(source);
      if (published && !track) await this.#recover(source, published.muted);
      if (!published && track)
        await (mayPublish(source) ? this.#publish(source, !track.enabled) : this.letGo([source]));
    }
  }

  /** A reload took the capture: microphone and camera come back by themselves, a screen needs a tap. */
  async #recover(source: Source, muted: boolean): Promise<void> {
    if (source === 'microphone' || source === 'camera') await this.#start(source, muted);
    else await this.#ports.command({ type: 'unpublish', source }).catch(() => undefined);
  }

  async #start(source: Source, muted: boolean): Promise<void> {
    if (this.starting.value.has(source)) return;
    if (source === 'microphone' || source === 'camera') this.#lost.delete(source);
    this.starting.value = new Set([...this.starting.value, source]);
    try {
      const sources = await this.#capture(source, muted);
      for (const each of sources) await this.#publish(each, muted);
    } catch (error) {
      await this.#ports.publisher.drop(source).catch(() => undefined);
      // A refused command has told its own reason already.
      if (!(error instanceof Refused)) {
        this.#ports.onProblem(source, error instanceof DeviceError ? error : new DeviceError('failed'));
      }
    } finally {
      this.starting.value = new Set([...this.starting.value].filter((each) => each !== source));
      this.captured.value += 1;
    }
  }

  /** Captures and puts on the wire; a screen may bring its sound. */
  async #capture(source: Source, muted: boolean): Promise<Source[]> {
    const { publisher } = this.#ports;
    if (source === 'screen') {
      const { video, audio } = await captureScreen();
      await publisher.put('screen', video);
      if (audio) await publisher.put('screen_audio', audio);
      return audio ? ['screen', 'screen_audio'] : ['screen'];
    }
    const track = source === 'camera' ? await this.#camera() : await captureMicrophone(this.chosen.microphone);
    track.enabled = !muted;
    this.#ports.onCapture();
    await publisher.put(source, track);
    this.captured.value += 1;
    return [source];
  }

  /** Many phones open one camera at a time: the one in use is let go before the other starts. */
  async #camera(): Promise<MediaStreamTrack> {
    const { publisher } = this.#ports;
    try {
      return await captureCamera(this.chosen.camera);
    } catch (error) {
      if (!(error instanceof DeviceError) || error.problem !== 'busy' || !publisher.track('camera')) throw error;
      await publisher.drop('camera');
      return captureCamera(this.chosen.camera);
    }
  }

  async #publish(source: Source, muted: boolean): Promise<void> {
    await this.#ports.command({ type: 'publish', source, muted });
  }

  async #stop(source: Source): Promise<void> {
    await this.letGo([source]);
    if (this.#published(source)) await this.#ports.command({ type: 'unpublish', source });
  }

  #published(source: Source) {
    return this.#ports.me()?.published.find((track) => track.source === source);
  }
}
