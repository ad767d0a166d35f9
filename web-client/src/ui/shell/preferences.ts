import { effect, signal } from '@preact/signals';
import { browserMemory } from '../../signal/memory.ts';

/** How large the text is. */
export type TextSize = 'normal' | 'large' | 'larger';
/** Light, dark, or as the device. */
export type Theme = 'auto' | 'light' | 'dark';

/** What this browser remembers about how pages look and sound. */
export const textSize = signal<TextSize>(remembered('qism.text', ['normal', 'large', 'larger'], 'normal'));
export const handSound = signal(remembered('qism.handSound', ['on', 'off'], 'on') === 'on');
export const theme = signal<Theme>(remembered('qism.theme', ['auto', 'light', 'dark'], 'auto'));

/** Keeps the document and the memory in step with the choices. Called once at the start. */
export function applyPreferences() {
  effect(() => {
    document.documentElement.dataset.text = textSize.value;
    browserMemory.remember('qism.text', textSize.value);
  });
  effect(() => browserMemory.remember('qism.handSound', handSound.value ? 'on' : 'off'));
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    browserMemory.remember('qism.theme', theme.value);
  });
}

function remembered<Value extends string>(key: string, known: readonly Value[], otherwise: Value): Value {
  const value = browserMemory.recall(key);
  return known.find((each) => each === value) ?? otherwise;
}
