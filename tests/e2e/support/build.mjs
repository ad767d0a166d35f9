// Another build of the app: with other words, and so with other names of its parts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const APP = new URL('../../../web-client/', import.meta.url).pathname;

/** Builds the app with this file of messages added, or in the place of its own, in a folder of its own. */
export function buildWith(language, messages) {
  const folder = mkdtempSync(join(tmpdir(), 'qism-app-'));
  cpSync(APP, folder, { recursive: true, filter: (path) => !/web-client\/(node_modules|dist)/.test(path) });
  symlinkSync(join(APP, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'messages', `${language}.json`), JSON.stringify(messages));
  const { status, stdout, stderr } = spawnSync('npm', ['run', 'build'], { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  return { dist: join(folder, 'dist'), close: () => rmSync(folder, { recursive: true, force: true }) };
}
