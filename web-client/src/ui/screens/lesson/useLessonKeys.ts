import { useEffect, useRef } from 'preact/hooks';

interface Keys {
  onMicrophone: () => void;
  onHand: () => void;
  onChat: () => void;
}

const regions = '[data-region]';

/** M, H and C outside text fields; F6 goes round the regions of the page, with Shift backwards. */
export function useLessonKeys(keys: Keys) {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === 'F6') {
        event.preventDefault();
        goRound(event.shiftKey ? -1 : 1);
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
      if (document.querySelector('dialog[open]')) return;
      const press = shortcutOf(event.code, latest.current);
      if (!press) return;
      event.preventDefault();
      press();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
}

/** By the place on the keyboard, so that it works with an Arabic layout too. */
function shortcutOf(code: string, keys: Keys): (() => void) | undefined {
  const shortcuts: Record<string, () => void> = { KeyM: keys.onMicrophone, KeyH: keys.onHand, KeyC: keys.onChat };
  return shortcuts[code];
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.matches('input:not([type="radio"], [type="checkbox"]), textarea, select, [contenteditable]')
  );
}

function goRound(step: number) {
  const all = [...document.querySelectorAll<HTMLElement>(regions)].filter((region) => region.offsetParent !== null);
  if (all.length === 0) return;
  const from = all.findIndex((region) => region.contains(document.activeElement));
  const next = from < 0 ? 0 : (from + step + all.length) % all.length;
  const region = all[next];
  const inside = region?.querySelector<HTMLElement>('[role="toolbar"] button[tabindex="0"]');
  (inside ?? region)?.focus();
}
