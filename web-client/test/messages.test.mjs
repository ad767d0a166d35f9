import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const app = path.resolve(import.meta.dirname, '..');
let folder;

/** The compiler in a copy of the app that has nothing but its messages. */
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'qism-messages-'));
  fs.cpSync(path.join(app, 'tools'), path.join(folder, 'tools'), { recursive: true });
  fs.cpSync(path.join(app, 'messages'), path.join(folder, 'messages'), { recursive: true });
  fs.symlinkSync(path.join(app, 'node_modules'), path.join(folder, 'node_modules'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const file = (name) => path.join(folder, name);
const read = (language) => JSON.parse(fs.readFileSync(file(`messages/${language}.json`), 'utf8'));
const write = (language, messages) => fs.writeFileSync(file(`messages/${language}.json`), JSON.stringify(messages));

function compile() {
  const { status, stderr } = spawnSync('node', ['tools/messages.mjs'], { cwd: folder, encoding: 'utf8' });
  return { ok: status === 0, stderr };
}

describe('the message compiler', () => {
  test('a fourth language is one more file and nothing else', () => {
    write('tlh', { ...read('en'), 'lang.name': 'tlhIngan Hol', 'lang.direction': 'ltr', 'lang.locale': 'en' });
    expect(compile()).toMatchObject({ ok: true });
    const languages = fs.readFileSync(file('src/ui/i18n/compiled/languages.ts'), 'utf8');
    expect(languages).toContain('tlhIngan Hol');
    expect(fs.readFileSync(file('src/ui/i18n/compiled/tlh.js'), 'utf8')).toContain('"lang.name":"tlhIngan Hol"');
  });

  test('a missing word stops the build and is named', () => {
    const { 'signIn.submit': gone, ...rest } = read('fr');
    expect(gone).toBeDefined();
    write('fr', rest);
    expect(compile()).toEqual({ ok: false, stderr: expect.stringContaining('fr: signIn.submit is missing') });
  });

  test('a lost placeholder stops the build and is named', () => {
    write('ar', { ...read('ar'), 'bar.handPlace': 'بلا رقم' });
    expect(compile()).toEqual({ ok: false, stderr: expect.stringContaining('ar: bar.handPlace does not use {place}') });
  });

  test('a word that English does not know stops the build', () => {
    write('fr', { ...read('fr'), 'no.such': 'x' });
    expect(compile()).toEqual({ ok: false, stderr: expect.stringContaining('fr: no.such is unknown') });
  });
});
