import { type IconName, iconPaths } from './iconPaths';
import './Icon.css';

/** These point along the reading direction and are mirrored in right-to-left pages; microphones and clocks are not. */
const mirrored: ReadonlySet<IconName> = new Set(['back', 'chevron', 'send', 'leave', 'chat', 'speaker']);

interface Props {
  name: IconName;
  size?: 'small' | 'large' | 'huge';
}

/** A decoration beside words: hidden from screen readers, because the words say it. */
export function Icon({ name, size }: Props) {
  const classes = ['icon', size && `icon-${size}`, mirrored.has(name) && 'icon-mirrored'];
  return (
    <svg class={classes.filter(Boolean).join(' ')} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {iconPaths[name].map((d) => (
        <path key={d} d={d} />
      ))}
    </svg>
  );
}
