import { useId } from 'preact/hooks';
import './TilePattern.css';

/** A faint lattice of eight-pointed stars behind a colored surface. */
export function TilePattern() {
  const id = useId();
  return (
    <svg class="tile-pattern" aria-hidden="true" focusable="false">
      <defs>
        <pattern id={id} width="72" height="72" patternUnits="userSpaceOnUse">
          <path d="M36 14l6.4 6.5H51.5v9.1L58 36l-6.5 6.4v9.1h-9.1L36 58l-6.4-6.5h-9.1v-9.1L14 36l6.5-6.4v-9.1h9.1Z" />
          <path d="M36 0v14M36 58v14M0 36h14M58 36h14M0 0l20.5 20.5M72 0L51.5 20.5M0 72l20.5-20.5M72 72L51.5 51.5" />
        </pattern>
      </defs>
      <rect width="100%" height="100%" fill={`url(#${id})`} />
    </svg>
  );
}
