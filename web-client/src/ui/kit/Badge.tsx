import type { ComponentChildren } from 'preact';
import { Icon } from './Icon.tsx';
import type { IconName } from './iconPaths.ts';
import './Badge.css';

interface Props {
  tone?: 'plain' | 'live' | 'ok' | 'warning' | 'danger';
  icon?: IconName;
  children: ComponentChildren;
}

/** A few words in a pill: a state, never an action. */
export function Badge({ tone = 'plain', icon, children }: Props) {
  return (
    <span class={`badge badge-${tone}`}>
      {tone === 'live' && <span class="badge-dot" aria-hidden="true" />}
      {icon && <Icon name={icon} size="small" />}
      {children}
    </span>
  );
}
