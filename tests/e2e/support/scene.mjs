// What the tests of a file stand on: opened before them, closed after them, and seen as it was when one of them fails.
import * as runner from 'node:test';
import { witnessed } from './account.mjs';
import { launch } from './browser.mjs';
import { Person } from './person.mjs';
import { openSchool } from './school.mjs';

export const before = (run) => runner.before(() => witnessed('before', run));
export const test = (title, run) => runner.test(title, () => witnessed(title, run));
export const { after, describe } = runner;

/** What most lessons need. */
export const SCHOOL_AND_BROWSER = { school: () => openSchool(), browser: () => launch() };

/**
 * Opens each of these before the tests of a suite, in order, and closes them after, the last one first; each may use what was opened before it.
 * What is open stands in the answer under the same names.
 */
export function opened(parts = SCHOOL_AND_BROWSER) {
  const scene = {
    /** Somebody with a window of their own in `browser`. */
    person: (options) => Person.open(scene.browser, scene.school, options),
  };
  const closing = [];
  before(async () => {
    for (const [name, open] of Object.entries(parts)) {
      scene[name] = await open(scene);
      if (scene[name]) closing.unshift(scene[name]);
    }
  });
  after(async () => {
    const ends = [];
    for (const part of closing) ends.push(...(await Promise.allSettled([part.close()])));
    for (const { reason } of ends) if (reason) throw reason;
  });
  return scene;
}
