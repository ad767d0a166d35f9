import { formulasIn } from './formula.ts';

/** A piece of a chat line: words, an address that may be opened, or a formula, which reads from left to right everywhere. */
export type Piece = { text: string } | { text: string; href: string } | { text: string; formula: true };

const address = /\bhttps?:\/\/[^\s<>"'`\u2066-\u2069\u202a-\u202e]+/giu;
const rightToLeft = /\p{Script=Arabic}/u;
const trailing = /[.,;:!?)\]}»”’،؛؟]+$/u;

/** Cuts a line at its web addresses and formulas; everything else stays plain text. Only http and https ever become links. */
export function linkify(line: string): Piece[] {
  const pieces: Piece[] = [];
  const words = (text: string) => pieces.push(...(rightToLeft.test(line) ? formulasIn(text) : [{ text }]));
  let from = 0;
  for (const match of line.matchAll(address)) {
    const text = match[0].replace(trailing, '');
    const href = hrefOf(text);
    if (!href) continue;
    if (match.index > from) words(line.slice(from, match.index));
    pieces.push({ text, href });
    from = match.index + text.length;
  }
  if (from < line.length) words(line.slice(from));
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
