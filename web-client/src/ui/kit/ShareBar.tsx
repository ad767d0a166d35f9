import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import './ShareBar.css';

interface Props {
  /** 0 to 1; more is shown as full. */
  share: number;
  /** How much is too much is the caller's to know. */
  tone?: 'plain' | 'warning' | 'danger';
  children: ComponentChildren;
}

/** A part of a whole, in words and as a bar. */
export function ShareBar({ share, tone = 'plain', children }: Props) {
  const fill = useRef<HTMLSpanElement>(null);
  const percent = Math.round(100 * Math.min(1, Math.max(0, share)));
  useLayoutEffect(() => fill.current?.style.setProperty('--share', `${percent}%`), [percent]);
  return (
    <div class="share-bar">
      <span class="small">{children}</span>
      <span class="share-track" aria-hidden="true">
        <span ref={fill} class={`share-fill share-${tone}`} />
      </span>
    </div>
  );
}
