import { effect, signal } from '@preact/signals';
import { type Devices, devices } from '../media/capture.ts';
import { browserMemory } from '../signal/memory.ts';

/** A kind of device that can be chosen. */
export type DeviceKind = 'camera' | 'microphone' | 'speaker';

const chosenMemory = 'qism.devices';
const checkedMemory = 'qism.checked';

/** The devices of this machine, as far as the browser tells. */
export const deviceLists = signal<Devices>({ cameras: [], microphones: [], speakers: [] });
/** The chosen ones; '' is the system's default. */
export const chosenDevices = signal<Record<DeviceKind, string>>({
  camera: '',
  microphone: '',
  speaker: '',
  ...remembered(),
});

effect(() => browserMemory.remember(chosenMemory, JSON.stringify(chosenDevices.value)));

export function chooseDevice(kind: DeviceKind, id: string): void {
  chosenDevices.value = { ...chosenDevices.value, [kind]: id };
}

/** Reads the devices now and whenever one is plugged in or out; returns how to stop. */
export function followDevices(): () => void {
  const refresh = async () => {
    deviceLists.value = await devices();
  };
  void refresh();
  navigator.mediaDevices?.addEventListener('devicechange', refresh);
  return () => navigator.mediaDevices?.removeEventListener('devicechange', refresh);
}

/** After a permission was given the browser tells more. */
export async function rereadDevices(): Promise<void> {
  deviceLists.value = await devices();
}

/** True the first time on this browser, and when the devices are others than last time. */
export async function checkNeeded(): Promise<boolean> {
  const known = browserMemory.recall(checkedMemory);
  if (known === null) return true;
  const now = signature(await devices());
  return now !== '' && known !== '' && now !== known;
}

/** The devices of this moment need no check next time. */
export async function rememberCheck(): Promise<void> {
  browserMemory.remember(checkedMemory, signature(await devices()));
}

/** Empty while the browser hides the devices. Speakers come and go with every headset: they do not count. */
function signature(lists: Devices): string {
  return [...lists.cameras, ...lists.microphones]
    .map(({ id }) => id)
    .filter((id) => id !== 'default' && id !== 'communications')
    .sort()
    .join(' ');
}

function remembered(): Partial<Record<DeviceKind, string>> {
  try {
    return JSON.parse(browserMemory.recall(chosenMemory) ?? '{}') as Partial<Record<DeviceKind, string>>;
  } catch {
    return {};
  }
}
