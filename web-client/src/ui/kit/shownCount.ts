/** A small number beside a word: no longer than three signs, nothing for zero. */
export function shownCount(count: number | undefined): string | undefined {
  if (!count) return undefined;
  return count > 99 ? '99+' : String(count);
}
