import { describe, expect, it } from 'vitest';
import { linkify } from '../src/ui/screens/lesson/linkify.ts';

describe('addresses in a chat line', () => {
  it('become links without the punctuation after them', () => {
    expect(linkify('voir https://example.org/a, puis')).toEqual([
      { text: 'voir ' },
      { text: 'https://example.org/a', href: 'https://example.org/a' },
      { text: ', puis' },
    ]);
  });

  it('are only ever http or https', () => {
    for (const line of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', '<img src=x onerror=1>'])
      expect(linkify(line)).toEqual([{ text: line }]);
  });

  it('end where a character that turns the direction starts', () => {
    expect(linkify('https://example.org/\u202egnp.exe')[0]).toEqual({
      text: 'https://example.org/',
      href: 'https://example.org/',
    });
  });
});
