import type { ComponentChildren } from 'preact';
import { Icon } from '../../kit/Icon.tsx';
import type { IconName } from '../../kit/iconPaths.ts';
import { TilePattern } from '../../kit/TilePattern.tsx';

interface Props {
  icon: IconName;
  title: string;
  hint?: string;
  children?: ComponentChildren;
}

/** Words on the stage where there is no picture. */
export function StageMessage({ icon, title, hint, children }: Props) {
  return (
    <div class="stage-message">
      <TilePattern />
      <span class="stage-message-icon">
        <Icon name={icon} size="large" />
      </span>
      <h2>{title}</h2>
      {hint && <p>{hint}</p>}
      {children}
    </div>
  );
}
