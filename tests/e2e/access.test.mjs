// For those who do not use a mouse or do not see the screen: a lesson led by keyboard alone in both reading directions, what is said
// aloud, and how many taps a lesson is away.
import assert from 'node:assert/strict';
import { PHONE } from './support/browser.mjs';
import { eventually, hears } from './support/identity.mjs';
import { PASSWORD } from './support/person.mjs';
import { pattern } from './support/labels.mjs';
import { describe, opened, test } from './support/scene.mjs';

const PUPILS = { teacher1: 'student1', teacher2: 'student31' };

/** Words of the focused element, as a screen reader has them. */
const focused = (person) =>
  person.page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return '';
    return (element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent ?? '').trim();
  });

/** Presses Tab until something with these words has the focus. */
async function tabTo(person, key) {
  const words = pattern(person.language, key);
  for (let presses = 0; presses < 80; presses++) {
    if (words.test(await focused(person))) return;
    await person.page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reaches ${words}, last: ${await focused(person)}`);
}

const said = (person, live) =>
  person.page
    .locator(`[aria-live=${live}]`)
    .allInnerTexts()
    .then((texts) => texts.join(' '));

describe('keyboard, ears and taps', { concurrency: false }, () => {
  const scene = opened();

  for (const [login, language, forward, back] of [
    ['teacher1', 'ar', 'ArrowLeft', 'ArrowRight'],
    ['teacher2', 'fr', 'ArrowRight', 'ArrowLeft'],
  ]) {
    test(`a teacher signs in, starts and gives the floor by keyboard alone: ${language}`, async () => {
      const teacher = await scene.person({ login, language });
      const { keyboard } = teacher.page;
      await teacher.context.addInitScript((language) => localStorage.setItem('qism.language', language), language);
      await teacher.page.goto(scene.school.url);
      await teacher.page.getByLabel(teacher.t('signIn.login'), { exact: true }).waitFor();
      await tabTo(teacher, 'signIn.login');
      await keyboard.type(login);
      await tabTo(teacher, 'signIn.password');
      await keyboard.type(PASSWORD);
      await keyboard.press('Enter');
      await teacher.button('home.start').or(teacher.button('home.open')).first().waitFor();
      await tabTo(teacher, (await teacher.button('home.start').isVisible()) ? 'home.start' : 'home.open');
      await keyboard.press('Enter');
      await teacher.page.getByRole('heading', { name: teacher.t('check.title') }).waitFor();
      await tabTo(
        teacher,
        (await teacher.button('check.startTeacher').isVisible()) ? 'check.startTeacher' : 'check.enterTeacher',
      );
      await keyboard.press('Enter');
      await teacher.controls().waitFor();

      await teacher.button('bar.microphoneOff').waitFor();
      await tabTo(teacher, 'bar.microphoneOff');
      await keyboard.press(forward);
      assert.match(
        await focused(teacher),
        new RegExp(`${pattern(language, 'bar.cameraOn').source}|${pattern(language, 'bar.cameraOff').source}`),
      );
      await keyboard.press(back);
      assert.match(await focused(teacher), pattern(language, 'bar.microphoneOff'));
      await keyboard.press(back);
      assert.match(await focused(teacher), pattern(language, 'bar.end'), 'round at the end');

      const student = await scene.person({ login: PUPILS[login], language, hz: 800 });
      await student.signIn();
      await student.enterLesson();
      await student.button('bar.hand').click();
      await eventually('the hand is said aloud', async () =>
        pattern(language, 'say.handRaisedBy').test(await said(teacher, 'polite')),
      );
      await teacher.button('floor.giveTo').waitFor();
      await keyboard.press('h');
      await tabTo(teacher, 'floor.giveTo');
      await keyboard.press('Enter');
      await eventually('the floor is said aloud at once', async () =>
        (await said(student, 'assertive')).includes(student.t('say.floorGiven')),
      );
      await student.button('bar.microphoneOn').click();
      await eventually('the teacher hears the student', () => hears(teacher.page, 800));
      await tabTo(teacher, 'floor.takeFrom');
      await keyboard.press('Enter');
      await eventually('silence', async () => !(await hears(teacher.page, 800)));
      await student.close();
      await teacher.close();
    });
  }

  test('the lesson is three taps away the first time, two later', async () => {
    const teacher = await scene.person({ login: 'teacher3', device: PHONE });
    await teacher.context.addInitScript(() => {
      addEventListener(
        'click',
        ({ isTrusted, detail }) => {
          if (isTrusted && detail > 0)
            sessionStorage.setItem('taps', String(Number(sessionStorage.getItem('taps') ?? 0) + 1));
        },
        true,
      );
    });
    const taps = () => teacher.page.evaluate(() => Number(sessionStorage.getItem('taps')));
    const forget = () => teacher.page.evaluate(() => sessionStorage.removeItem('taps'));
    await teacher.page.goto(scene.school.url);
    await teacher.speak('ar');
    await forget();
    await teacher.signIn({ speak: false });
    await teacher.enterLesson();
    assert.ok((await taps()) <= 3, `${await taps()} taps`);
    await teacher.page.getByRole('button', { name: teacher.t('common.more'), exact: true }).click();
    await teacher.page.getByRole('menuitem', { name: teacher.t('act.leaveOnly') }).click();
    await teacher.page
      .getByRole('dialog')
      .getByRole('button', { name: teacher.t('bar.leave'), exact: true })
      .click();
    await teacher.button('common.backHome').click();
    await teacher.button('home.signOut').click();
    await teacher.page.getByLabel(teacher.t('signIn.login'), { exact: true }).waitFor();
    await forget();
    await teacher.signIn({ speak: false });
    await teacher.enterLesson();
    assert.ok((await taps()) <= 2, `${await taps()} taps`);
    await teacher.close();
  });
});
