/** A piece of a chat line: words, or an address that may be opened. */
export type Piece = { text: string } | { text: string; href: string };

const address = /\bhttps?:\/\/[^\s<>"'`\u2066-\u2069\u202a-\u202e]+/giu;
const trailing = /[.,;:!?)\]}»”’،؛؟]+$/u;

/** Cuts a line at its web addresses; everything else stays plain text. Only http and https ever become links. */
export function linkify(line: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of line.matchAll(address)) {
    const text = match[0].replace(trailing, '');
    const href = hrefOf(text);
    if (!href) continue;
    if (match.index > from) pieces.push({ text: line.slice(from, match.index) });
    pieces.push({ text, href });
    from = match.index + text.length;
  }
  if (from < line.length) pieces.push({ text: line.slice(from) });
  return pieces;
}

function hrefOf(text: string): string | undefined {
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}
