import { Icon } from '../../kit/Icon.tsx';
import { shownCount } from '../../kit/shownCount.ts';
import type { IconName } from '../../kit/iconPaths.ts';
import './LessonBar.css';

interface Props {
  icon: IconName;
  /** The short word under the icon. */
  text: string;
  /** What a press does, as the accessible name. */
  label: string;
  tone?: 'plain' | 'on' | 'hand' | 'danger';
  pressed?: boolean;
  /** A number at the corner: unread lines, raised hands, the own place. */
  count?: number | undefined;
  unavailable?: boolean;
  busy?: boolean;
  shortcut?: string;
  onPress: () => void;
}

/** A button of the lesson's bar. One that cannot act yet stays pressable and says why. */
export function BarButton({
  icon,
  text,
  label,
  tone = 'plain',
  pressed,
  count,
  unavailable,
  busy,
  shortcut,
  onPress,
}: Props) {
  const classes = [
    'bar-button',
    `bar-button-${tone}`,
    unavailable && 'bar-button-unavailable',
    busy && 'bar-button-busy',
  ];
  return (
    <button
      type="button"
      class={classes.filter(Boolean).join(' ')}
      aria-label={label}
      aria-pressed={pressed}
      aria-disabled={unavailable || undefined}
      aria-busy={busy || undefined}
      aria-keyshortcuts={shortcut}
      title={shortcut ? `${label} (${shortcut})` : label}
      onClick={onPress}
    >
      {/* The number is drawn by the style sheet: the label already tells it in words. */}
      <span class="bar-icon" data-count={shownCount(count)}>
        <Icon name={icon} />
      </span>
      <span class="bar-text">{text}</span>
    </button>
  );
}
