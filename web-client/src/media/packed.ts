/** Whether this browser unpacks descriptions. */
export const takesPacked = typeof DecompressionStream === 'function';

/** A description as the server packs it: `deflate` (RFC 1950) in base64. */
export function unpacked(packed: string): Promise<string> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(text).text();
}
