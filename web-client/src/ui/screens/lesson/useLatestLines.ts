import { useRef, useState } from 'preact/hooks';
import type { ChatItem } from './view.ts';

/** Lines that are drawn for who reads the end: thousands would make each letter typed below them late on a slow phone. */
const drawn = 100;
/** Lines that *older* adds. */
const page = 50;

/** The part of the chat that is drawn. */
export interface LatestLines {
  lines: readonly ChatItem[];
  /** Lines that are here and not drawn. */
  hidden: number;
  /** Draws older ones, also those that only come after this. */
  showOlder: () => void;
}

/** The newest lines while the end is read; further up nothing is taken away from above the reader, and older ones are added when asked for. */
export function useLatestLines(items: readonly ChatItem[], isAtEnd: () => boolean): LatestLines {
  const first = useRef<string | undefined>(undefined);
  const wantsOlder = useRef(false);
  const [, redraw] = useState(0);
  const last = Math.max(0, items.length - drawn);
  const known = items.findIndex(({ key }) => key === first.current);
  let from = known < 0 || (isAtEnd() && !wantsOlder.current) ? last : known;
  if (wantsOlder.current && from > 0) {
    from = Math.max(0, from - page);
    wantsOlder.current = false;
  }
  first.current = items[from]?.key;
  const showOlder = () => {
    wantsOlder.current = true;
    redraw((times) => times + 1);
  };
  return { lines: from === 0 ? items : items.slice(from), hidden: from, showOlder };
}
