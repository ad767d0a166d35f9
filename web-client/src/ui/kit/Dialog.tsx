import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/index.ts';
import { IconButton } from './IconButton.tsx';
import './Dialog.css';

interface Props {
  title: string;
  onClose: () => void;
  /** Buttons at the bottom, the main one first. */
  actions?: ComponentChildren;
  wide?: boolean;
  children?: ComponentChildren;
}

/** Two clicks within this are one double click, on slow hands' settings, too. */
const doubleClickMs = 700;

/** A modal window on the native element: the browser traps the focus, Escape closes it, the focus returns. */
export function Dialog({ title, onClose, actions, wide, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useLayoutEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      requestAnimationFrame(() => before instanceof HTMLElement && before.isConnected && before.focus());
    };
  }, []);

  // Beside the window is outside. Not for the second click of who double-clicks the button behind it, nor for a press that began inside, as
  // when text is selected with the mouse.
  const opened = useRef(performance.now());
  const pressed = useRef<EventTarget | null>(null);
  const onPointerDown = (event: PointerEvent) => {
    pressed.current = event.target;
  };
  const onClick = (event: MouseEvent) => {
    const isOutside = event.target === element.current && pressed.current === element.current;
    if (isOutside && event.timeStamp - opened.current > doubleClickMs) onClose();
  };
  const onCancel = (event: Event) => {
    event.preventDefault();
    onClose();
  };

  return (
    <dialog
      ref={element}
      class={wide ? 'dialog dialog-wide' : 'dialog'}
      aria-labelledby={titleId}
      onPointerDown={onPointerDown}
      onClick={onClick}
      onCancel={onCancel}
    >
      <div class="dialog-sheet">
        <header class="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <IconButton icon="close" label={t('common.close')} onClick={onClose} />
        </header>
        <div class="dialog-body">{children}</div>
        {actions && <footer class="dialog-actions">{actions}</footer>}
      </div>
    </dialog>
  );
}
