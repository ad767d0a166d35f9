import { expect, it } from 'vitest';
import { unpacked } from '../src/media/packed.ts';

it('a packed description comes out as it went in', async () => {
  // As the server's fixtures have it.
  await expect(unpacked('eJwrszXg5QIAA/sA+w==')).resolves.toBe('v=0\r\n');
});

it('what is not packed is refused', async () => {
  await expect(unpacked(btoa('v=0'))).rejects.toThrow();
});
