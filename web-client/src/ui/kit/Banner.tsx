import type { ComponentChildren } from 'preact';
import { Icon } from './Icon.tsx';
import type { IconName } from './iconPaths.ts';
import './Banner.css';

export type BannerTone = 'info' | 'ok' | 'warning' | 'danger' | 'accent';

interface Props {
  tone?: BannerTone;
  icon?: IconName;
  action?: ComponentChildren;
  children: ComponentChildren;
}

const icons: Record<BannerTone, IconName> = {
  info: 'info',
  ok: 'check',
  warning: 'warning',
  danger: 'warning',
  accent: 'info',
};

/** One line across the page that says what is going on. Announcing it is the live regions' work. */
export function Banner({ tone = 'info', icon, action, children }: Props) {
  return (
    <div class={`banner banner-${tone}`}>
      <Icon name={icon ?? icons[tone]} />
      <div class="banner-text">{children}</div>
      {action}
    </div>
  );
}
