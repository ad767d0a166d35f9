import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../../i18n/index.ts';
import './PresenceBar.css';

interface Props {
  present: number;
  expected: number;
}

/** Present of expected, as words and as a bar. */
export function PresenceBar({ present, expected }: Props) {
  const fill = useRef<HTMLSpanElement>(null);
  const share = expected > 0 ? Math.min(100, Math.round((100 * present) / expected)) : 0;
  useLayoutEffect(() => fill.current?.style.setProperty('--share', `${share}%`), [share]);
  return (
    <div class="presence">
      <span class="small">{t('home.presentLong', { present, expected })}</span>
      <span class="presence-bar" aria-hidden="true">
        <span ref={fill} class="presence-fill" />
      </span>
    </div>
  );
}
