import type { ComponentChildren } from 'preact';
import { Icon } from './Icon.tsx';
import type { IconName } from './iconPaths.ts';
import './EmptyState.css';

interface Props {
  icon: IconName;
  title: string;
  hint?: string;
  children?: ComponentChildren;
}

/** What stands where there is nothing yet, or where something failed, with what to do next. */
export function EmptyState({ icon, title, hint, children }: Props) {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={icon} size="large" />
      </span>
      <p class="empty-title">{title}</p>
      {hint && <p class="muted">{hint}</p>}
      {children}
    </div>
  );
}
