import './Logo.css';

interface Props {
  tone?: 'color' | 'light';
}

/** Two crossed squares, the khatam of Moroccan tiles, round a lit point: somebody speaks in the classroom. */
export function Logo({ tone = 'color' }: Props) {
  return (
    <svg class={`logo logo-${tone}`} viewBox="0 0 48 48" aria-hidden="true" focusable="false">
      <path
        class="logo-star"
        d="M24 2l7.03 5.03L39.56 8.44l1.41 8.53L46 24l-5.03 7.03-1.41 8.53-8.53 1.41L24 46l-7.03-5.03-8.53-1.41-1.41-8.53L2 24l5.03-7.03 1.41-8.53 8.53-1.41Z"
      />
      <circle class="logo-ring" cx="24" cy="24" r="10.5" />
      <circle class="logo-point" cx="24" cy="24" r="4.5" />
    </svg>
  );
}
