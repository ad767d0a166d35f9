import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { stepOf, stepTo } from './direction.ts';
import { Icon } from './Icon.tsx';
import type { IconName } from './iconPaths.ts';
import { placeBeside } from './placeBeside.ts';
import './Menu.css';

/** What the opening button must carry. */
export interface MenuTrigger {
  id: string;
  'aria-haspopup': 'menu';
  'aria-expanded': boolean;
  'aria-controls': string;
  onClick: (event: MouseEvent) => void;
}

interface Props {
  label: string;
  trigger: (props: MenuTrigger) => ComponentChildren;
  children: ComponentChildren;
}

/** A list of actions that opens beside its button, on the native popover: it closes by itself outside and on Escape. */
export function Menu({ label, trigger, children }: Props) {
  const [open, setOpen] = useState(false);
  const list = useRef<HTMLDivElement>(null);
  const anchor = useRef<HTMLElement | null>(null);
  const id = useId();

  useEffect(() => {
    if (!open || !list.current || !anchor.current) return;
    list.current.showPopover();
    placeBeside(list.current, anchor.current);
    itemsOf(list.current)[0]?.focus();
  }, [open]);

  const close = () => {
    list.current?.hidePopover();
    anchor.current?.focus();
  };
  const onToggle = (event: Event) => {
    if ((event as ToggleEvent).newState === 'closed') setOpen(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Tab') close();
    else moveFocus(event, list.current);
  };

  return (
    <>
      {trigger({
        id: `${id}-button`,
        'aria-haspopup': 'menu',
        'aria-expanded': open,
        'aria-controls': id,
        onClick: (event) => {
          anchor.current = event.currentTarget as HTMLElement;
          setOpen((was) => !was);
        },
      })}
      {open && (
        <div
          ref={list}
          id={id}
          popover="auto"
          role="menu"
          tabIndex={-1}
          aria-label={label}
          class="menu"
          onToggle={onToggle}
          onKeyDown={onKeyDown}
          onClick={close}
        >
          {children}
        </div>
      )}
    </>
  );
}

interface ItemProps {
  icon?: IconName;
  hint?: string;
  danger?: boolean;
  /** Set for an item that is one of several states. */
  checked?: boolean;
  onChoose: () => void;
  children: ComponentChildren;
}

/** One action of a menu. */
export function MenuItem({ icon, hint, danger, checked, onChoose, children }: ItemProps) {
  const role = checked === undefined ? 'menuitem' : 'menuitemradio';
  return (
    <button
      type="button"
      role={role}
      aria-checked={checked}
      tabIndex={-1}
      class={danger ? 'menu-item menu-item-danger' : 'menu-item'}
      onClick={onChoose}
    >
      <span class="menu-icon">{checked ? <Icon name="check" /> : icon && <Icon name={icon} />}</span>
      <span>
        {children}
        {hint && <small class="menu-hint">{hint}</small>}
      </span>
    </button>
  );
}

function itemsOf(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>('[role^="menuitem"]')];
}

function moveFocus(event: KeyboardEvent, list: HTMLElement | null) {
  const step = stepOf(event.key, { vertical: true });
  if (!step || !list) return;
  event.preventDefault();
  const items = itemsOf(list);
  items[stepTo(step, items.indexOf(document.activeElement as HTMLElement), items.length)]?.focus();
}
