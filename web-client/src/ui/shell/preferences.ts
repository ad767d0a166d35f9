import { effect, signal } from '@preact/signals';

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
    remember('qism.text', textSize.value);
  });
  effect(() => remember('qism.handSound', handSound.value ? 'on' : 'off'));
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    remember('qism.theme', theme.value);
  });
}

function remembered<Value extends string>(key: string, known: readonly Value[], otherwise: Value): Value {
  try {
    const value = localStorage.getItem(key);
    return known.find((each) => each === value) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Private windows may refuse: the choice then lasts as long as the page. */
function remember(key: string, value: string) {
  try {
    localStorage.setItem(key, value);
  } catch {
    /* Nothing to do: see above. */
  }
}
