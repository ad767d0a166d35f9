import './Avatar.css';

interface Props {
  /** Decides the color, the same on every screen. */
  seed: string;
  initials: string;
  size?: 'small' | 'medium' | 'large' | 'huge';
  dim?: boolean;
}

const tones = 8;

/** A person without a picture: initials on a quiet color. The name stands beside it, so it is hidden from readers. */
export function Avatar({ seed, initials, size = 'medium', dim }: Props) {
  const classes = ['avatar', `avatar-${size}`, `avatar-tone-${toneOf(seed)}`, dim && 'avatar-dim'];
  return (
    <span class={classes.filter(Boolean).join(' ')} aria-hidden="true">
      {initials}
    </span>
  );
}

function toneOf(seed: string): number {
  let sum = 0;
  for (const letter of seed) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum % tones;
}
