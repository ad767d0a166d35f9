// A person is erased in the middle of a lesson: their lines and their name are gone from the screens of everybody who is there.
import assert from 'node:assert/strict';
import { LAPTOP, PHONE } from './support/browser.mjs';
import { look } from './support/look.mjs';
import { describe, opened, test } from './support/scene.mjs';

const WORDS = 'تمرين الصفحة 42';

describe('erasing', { concurrency: false }, () => {
  const scene = opened();

  for (const [language, device, login] of [
    ['fr', LAPTOP, 'student3'],
    ['ar', PHONE, 'student4'],
  ]) {
    test(`the director erases somebody who has written in the lesson of now (${language})`, async () => {
      const open = async (who, how) => {
        const person = await scene.person({ login: who, bypassCSP: true, ...how });
        await person.signIn();
        return person;
      };
      const teacher = await open('teacher1', { language: 'fr', device: LAPTOP });
      const classmate = await open('student2', { language: 'ar', device: PHONE });
      const erased = await open(login, { language: 'ar', device: PHONE });
      for (const person of [teacher, classmate, erased]) await person.enterLesson({ listenOnly: person !== teacher });
      await erased.say(WORDS);
      for (const person of [teacher, classmate]) {
        await person.openChat();
        await person.line(WORDS).waitFor();
      }
      const director = await open('director', { language, device });
      const problems = [];
      await director.page.getByLabel(director.t('accounts.search'), { exact: true }).fill(login);
      await director.page
        .getByRole('button', { name: new RegExp(director.t('erase.open')) })
        .first()
        .click();
      problems.push(...(await look(director, `erase-asks-${language}`)));
      await director.button('erase.continue').click();
      await director.page.getByRole('dialog').getByRole('textbox').fill(login);
      problems.push(...(await look(director, `erase-repeats-${language}`)));
      await director.button('erase.now').click();
      for (const person of [teacher, classmate]) {
        await person.line(WORDS).waitFor({ state: 'detached' });
        await person.line(person.t('chat.deleted')).first().waitFor();
        problems.push(...(await look(person, `erased-${language}-${person.login}`)));
      }
      await erased.page.getByText(erased.t('over.withdrawnTitle'), { exact: false }).first().waitFor();
      problems.push(...(await look(director, `erase-done-${language}`)));
      assert.deepEqual(problems, []);
      for (const person of [teacher, classmate, erased, director]) await person.close();
    });
  }
});
