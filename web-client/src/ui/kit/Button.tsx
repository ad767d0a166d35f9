import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import { Icon } from './Icon.tsx';
import type { IconName } from './iconPaths.ts';
import './Button.css';

interface Props extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'size' | 'icon'> {
  kind?: 'primary' | 'accent' | 'danger' | 'outline' | 'quiet' | 'stage';
  size?: 'medium' | 'large';
  icon?: IconName;
  wide?: boolean;
  busy?: boolean;
  children?: ComponentChildren;
}

/** A button with words. `busy` keeps its place and its name while it works. */
export function Button({ kind = 'outline', size = 'medium', icon, wide, busy, children, ...rest }: Props) {
  const classes = ['button', `button-${kind}`, `button-${size}`, wide && 'button-wide', busy && 'button-busy'];
  return (
    <button
      type="button"
      {...rest}
      class={[...classes, rest.class].filter(Boolean).join(' ')}
      aria-busy={busy || undefined}
    >
      {icon && <Icon name={icon} />}
      {children !== undefined && <span class="button-text">{children}</span>}
    </button>
  );
}
