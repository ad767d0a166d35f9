// The browser itself is short of something: a part of the app that did not come, room to store, cookies.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { CHROMIUM, PHONE } from './support/browser.mjs';
import { eventually, hears } from './support/identity.mjs';
import { label } from './support/labels.mjs';
import { PASSWORD } from './support/person.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const HZ = 440;

/** The files whose name fits do not come, as when the network changes under them; returns how to let them through. */
async function withhold(person, pattern) {
  let withheld = true;
  // The route stays: what is on its way while one is taken away may never be answered.
  await person.context.route(pattern, (route) => (withheld ? route.abort('connectionreset') : route.continue()));
  return () => {
    withheld = false;
  };
}

describe('bad luck', { concurrency: false }, () => {
  const scene = opened();
  const student = (login) => scene.person({ login, device: PHONE });

  before(async () => {
    const teacher = await scene.person({ login: 'teacher1', language: 'fr', hz: HZ });
    await teacher.signIn();
    await teacher.enterLesson();
  });

  test('the lesson comes in although its part of the app did not, at home and at its door', async () => {
    const person = await student('student1');
    const letThrough = await withhold(person, /InLesson/);
    const failed = person.page.waitForEvent('requestfailed', (request) => /InLesson/.test(request.url()));
    await person.signIn();
    await person.button('home.join').waitFor();
    await failed;
    await person.button('home.join').click();
    await person.page.getByRole('heading', { name: person.t('check.title') }).waitFor();
    await person.button('check.join').click();
    await person.page.getByText(person.t('app.awayTitle')).waitFor();
    await letThrough();
    await person.controls().waitFor();
    await eventually('the voice', () => hears(person.page, HZ));
    await person.close();
  });

  test('the pages of an office come although their part of the app did not', async () => {
    const person = await scene.person({ login: 'director' });
    const letThrough = await withhold(person, /OfficeRoute/);
    const failed = person.page.waitForEvent('requestfailed', (request) => /OfficeRoute/.test(request.url()));
    await person.signIn();
    await failed;
    await letThrough();
    await person.page.getByText(person.t('home.running')).first().waitFor();
    await person.close();
  });

  test('a language whose words did not come leaves the page as it is, and is there when it is opened anew', async () => {
    const person = await student('student2');
    await person.signIn();
    await person.enterLesson();
    await (await person.openChat()).fill('نصف جملة');
    const letThrough = await withhold(person, /assets\/fr-/);
    await person.page.getByRole('button', { name: person.t('common.more'), exact: true }).click();
    await person.page.getByRole('menuitem', { name: new RegExp(person.t('settings.title')) }).click();
    const french = person.page.getByRole('radio', { name: 'Français' }).first();
    await french.click();
    await person.page.getByText(person.t('lang.missing', { language: 'Français' })).first().waitFor();
    assert.equal(await french.isChecked(), false);
    await eventually('the voice', () => hears(person.page, HZ));
    await letThrough();
    await person.page.reload();
    person.language = 'fr';
    await person.controls().waitFor();
    await eventually('the voice', () => hears(person.page, HZ));
    assert.equal(await (await person.openChat()).inputValue(), 'نصف جملة');
    await person.close();
  });

  test('a phone without room to store anything is in the lesson, and writes in it', async () => {
    const person = await student('student3');
    await person.page.goto(scene.school.url);
    await person.page.evaluate(() => navigator.serviceWorker.ready);
    const devtools = await person.context.newCDPSession(person.page);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(scene.school.url).origin, quotaSize: 1 });
    await person.context.addInitScript(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException('no room', 'QuotaExceededError');
      };
    });
    await person.page.reload();
    await person.speak('ar');
    await person.page.getByLabel(person.t('signIn.login'), { exact: true }).fill(person.login);
    await person.page.getByLabel(person.t('signIn.password'), { exact: true }).fill(PASSWORD);
    await person.page.getByRole('button', { name: person.t('signIn.submit'), exact: true }).click();
    await person.enterLesson();
    await eventually('the voice', () => hears(person.page, HZ));
    await person.say('لا مكان في الهاتف');
    await person.line('لا مكان في الهاتف').waitFor();
    await person.page.getByText(person.t('chat.pending')).waitFor({ state: 'hidden' });
    assert.deepEqual(
      person.problems.filter((problem) => !/401/.test(problem)),
      [],
    );
    await person.close();
  });

  test('who forbids cookies is told why nobody comes in', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'qism-cookies-'));
    mkdirSync(join(folder, 'Default'));
    const settings = { profile: { default_content_setting_values: { cookies: 2 } } };
    writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify(settings));
    const options = { executablePath: CHROMIUM, headless: true, chromiumSandbox: false, locale: 'fr-MA' };
    const context = await chromium.launchPersistentContext(folder, options);
    try {
      const [page] = context.pages();
      await page.goto(scene.school.url);
      await page.getByLabel(label('fr', 'signIn.login'), { exact: true }).fill('student4');
      await page.getByLabel(label('fr', 'signIn.password'), { exact: true }).fill(PASSWORD);
      await page.getByRole('button', { name: label('fr', 'signIn.submit'), exact: true }).click();
      await page.getByText(label('fr', 'signIn.noCookies')).first().waitFor();
    } finally {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
