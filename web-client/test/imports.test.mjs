import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const src = path.resolve(import.meta.dirname, '../src');
/** Who may import from whom. Files in the root, and `app`, put everything together. */
const ALLOWED = {
  protocol: [],
  signal: ['protocol'],
  media: ['protocol'],
  room: ['protocol', 'signal'],
  school: ['protocol', 'signal'],
  lesson: ['protocol', 'signal', 'media', 'room', 'school'],
};

const files = fs
  .readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !name.includes('compiled'));

function importedFolders(name) {
  const text = fs.readFileSync(path.join(src, name), 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, to]) => {
    const target = path.relative(src, path.resolve(src, path.dirname(name), to ?? ''));
    return target.includes(path.sep) ? (target.split(path.sep)[0] ?? '') : '';
  });
}

test.each(Object.entries(ALLOWED))('%s imports only what lies under it', (folder, allowed) => {
  const own = files.filter((name) => name.startsWith(`${folder}${path.sep}`));
  expect(own.length).toBeGreaterThan(0);
  const wrong = own.flatMap((name) =>
    importedFolders(name)
      .filter((to) => to !== folder && !allowed.includes(to))
      .map((to) => `${name} imports ${to || 'the root'}`),
  );
  expect(wrong).toEqual([]);
});

test('peer connections are made in media only', () => {
  const makers = files.filter((name) =>
    fs.readFileSync(path.join(src, name), 'utf8').includes('new RTCPeerConnection'),
  );
  expect(makers.every((name) => name.startsWith('media'))).toBe(true);
  expect(makers).toHaveLength(2);
});
