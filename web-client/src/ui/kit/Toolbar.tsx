import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { stepOf, stepTo } from './direction.ts';

interface Props {
  label: string;
  class?: string;
  children: ComponentChildren;
}

const focusable = 'button:not([tabindex="-2"])';

/** One tab stop for a row of buttons; arrow keys follow the reading direction. */
export function Toolbar({ label, class: className, children }: Props) {
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => keepOneStop(root.current));

  const onKeyDown = (event: KeyboardEvent) => {
    const step = stepOf(event.key);
    if (!step || !root.current) return;
    const buttons = [...root.current.querySelectorAll<HTMLButtonElement>(focusable)];
    const from = buttons.indexOf(document.activeElement as HTMLButtonElement);
    if (from < 0) return;
    event.preventDefault();
    const next = buttons[stepTo(step, from, buttons.length)];
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next?.focus();
  };

  return (
    <div ref={root} role="toolbar" aria-label={label} class={className} onKeyDown={onKeyDown}>
      {children}
    </div>
  );
}

/** After each draw: exactly one button can be reached by Tab, the focused one if there is one. */
function keepOneStop(root: HTMLElement | null) {
  if (!root) return;
  const buttons = [...root.querySelectorAll<HTMLButtonElement>(focusable)];
  const stop =
    buttons.find((button) => button === document.activeElement) ??
    buttons.find((button) => button.tabIndex === 0 && button.dataset.stop === 'yes') ??
    buttons[0];
  for (const button of buttons) {
    button.tabIndex = button === stop ? 0 : -1;
    button.dataset.stop = button === stop ? 'yes' : 'no';
  }
}
