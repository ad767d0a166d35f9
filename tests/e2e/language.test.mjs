// A language that nobody has thought of is one more file of messages. A made-up one, written from right to left, whose every word is marked: what
// is read on a screen without the mark was not in the file.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, PHONE } from './support/browser.mjs';
import { APP, buildWith } from './support/build.mjs';
import { openSchool } from './support/school.mjs';
import { PASSWORD } from './support/person.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const NAME = 'Ŧaŋgo';
const MARK = '¤';

/** Marks every text of a message file. */
function marked(messages) {
  const texts = Object.entries(messages).map(([key, text]) => [key, `${MARK}${text}`]);
  return { ...Object.fromEntries(texts), 'lang.name': NAME, 'lang.direction': 'rtl', 'lang.locale': 'en' };
}

/** The words on the buttons, headings and labels of the page; the languages' own names aside. */
function words(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll('button, h1, label, [role=tab]')]
      .filter((element) => element.checkVisibility() && element.control?.type !== 'radio')
      .map((element) => (element.getAttribute('aria-label') ?? element.innerText).trim())
      .filter((text) => /\p{Letter}{2}/u.test(text)),
  );
}

describe('a made-up fourth language', { concurrency: false }, () => {
  const scene = opened({
    app: () => buildWith('qtg', marked(JSON.parse(readFileSync(join(APP, 'messages', 'en.json'), 'utf8')))),
    school: ({ app }) => openSchool({ app: app.dist }),
    browser: () => launch(),
  });
  let student;

  before(async () => {
    student = await scene.person({ login: 'student1', device: PHONE });
  });

  async function readsLikeTheFile(screen) {
    const read = await words(student.page);
    assert.ok(read.length > 2, `${screen}: ${read.join(' | ')}`);
    assert.deepEqual(
      read.filter((text) => !text.includes(MARK)),
      [],
      `${screen}: words that are in no file`,
    );
  }

  test('it is in the list under its own name, and turns the page to its direction', async () => {
    await student.page.goto(scene.school.url);
    await student.page.getByRole('radio', { name: NAME, exact: true }).check();
    await student.page.waitForFunction(() => document.documentElement.lang === 'qtg');
    assert.equal(await student.page.evaluate(() => getComputedStyle(document.documentElement).direction), 'rtl');
    await readsLikeTheFile('sign-in');
  });

  test('it goes along from sign-in to the lesson, and over a reload', async () => {
    const { page } = student;
    await page.getByLabel(`${MARK}Account code`).fill(student.login);
    await page.getByLabel(`${MARK}Password`, { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: `${MARK}Sign in` }).click();
    await page
      .getByRole('button', { name: new RegExp(`^${MARK}(Join|Enter|Open)`) })
      .first()
      .waitFor();
    await readsLikeTheFile('home');
    await page.reload();
    await page
      .getByRole('button', { name: new RegExp(`^${MARK}(Join|Enter|Open)`) })
      .first()
      .click();
    await page
      .getByRole('button', { name: new RegExp(`^${MARK}`) })
      .first()
      .waitFor();
    await readsLikeTheFile('the check');
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'qtg');
  });
});
