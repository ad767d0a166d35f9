import type { ButtonHTMLAttributes } from 'preact';
import { Icon } from './Icon.tsx';
import type { IconName } from './iconPaths.ts';
import './IconButton.css';

interface Props extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'icon'> {
  icon: IconName;
  /** What it does, in words: its accessible name and its tooltip. */
  label: string;
  tone?: 'plain' | 'stage' | 'primary' | 'danger';
}

/** A round button without visible words. */
export function IconButton({ icon, label, tone = 'plain', ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      class={['icon-button', `icon-button-${tone}`, rest.class].filter(Boolean).join(' ')}
      aria-label={label}
      title={label}
    >
      <Icon name={icon} />
    </button>
  );
}
