// Every screen in three languages, phone and laptop: nothing broken, nothing outside, nothing too small, axe clean; the language
// switches live and keeps what was typed and captured.
import assert from 'node:assert/strict';
import { LAPTOP, PHONE, PHONE_LANDSCAPE, SMALL_PHONE } from './support/browser.mjs';
import { eventually, hears, sees } from './support/identity.mjs';
import { look } from './support/look.mjs';
import { describe, opened, test } from './support/scene.mjs';

const DEVICES = { phone: PHONE, landscape: PHONE_LANDSCAPE, laptop: LAPTOP };

describe('screens', { concurrency: false }, () => {
  const scene = opened();

  for (const [deviceName, device] of Object.entries(DEVICES)) {
    for (const language of ['ar', 'fr']) {
      test(`sign in, home, lesson: ${language} on ${deviceName}`, async () => {
        const problems = [];
        for (const login of ['teacher2', 'student31']) {
          const person = await scene.person({ login, device, language, bypassCSP: true });
          await person.page.goto(scene.school.url);
          await person.speak(language);
          if (login === 'teacher2') problems.push(...(await look(person, `sign-in-${language}-${deviceName}`)));
          await person.signIn();
          await person.page.getByLabel(person.t('signIn.password'), { exact: true }).waitFor({ state: 'detached' });
          await person.page.getByRole('button', { name: person.t('home.signOut') }).waitFor();
          problems.push(...(await look(person, `home-${login}-${language}-${deviceName}`)));
          const enter = await person.page.locator('.hero .button').boundingBox();
          if (enter.y + enter.height > device.viewport.height)
            problems.push(`${login}: the button into the lesson is below the first screen`);
          await person.enterLesson();
          await person.page.waitForTimeout(500);
          problems.push(...(await look(person, `lesson-${login}-${language}-${deviceName}`)));
          await person.close();
        }
        assert.deepEqual(problems, []);
      });
    }
  }

  for (const [how, memory] of [
    ['large text', { 'qism.text': 'larger' }],
    ['the dark look', { 'qism.theme': 'dark' }],
  ]) {
    test(`${how} on the narrowest phone`, async () => {
      const problems = [];
      const people = [];
      for (const login of how === 'large text' ? ['teacher1', 'student1'] : ['teacher2', 'student31']) {
        const person = await scene.person({ login, device: SMALL_PHONE, bypassCSP: true });
        await person.context.addInitScript((memory) => {
          for (const [key, value] of Object.entries(memory)) localStorage.setItem(key, value);
        }, memory);
        await person.page.goto(scene.school.url);
        await person.speak('ar');
        problems.push(...(await look(person, `${how}-sign-in`)));
        await person.signIn();
        await person.button('home.signOut').waitFor();
        problems.push(...(await look(person, `${how}-home-${login}`)));
        await person.enterLesson();
        people.push(person);
      }
      await people[1].button('bar.hand').click();
      await people[0].button('floor.giveTo').click();
      await people[1].page.getByRole('region', { name: people[1].t('floor.mine') }).waitFor();
      for (const person of people) {
        problems.push(...(await look(person, `${how}-${person.login}`)));
        await person.page.getByRole('button', { name: person.t('common.more'), exact: true }).click();
        problems.push(...(await look(person, `${how}-menu-${person.login}`)));
        await person.close();
      }
      assert.deepEqual(problems, []);
    });
  }

  test('the director sees the lessons of now and visits, announced', async () => {
    const teacher = await scene.person({ login: 'teacher1' });
    await teacher.signIn();
    await teacher.enterLesson();
    const director = await scene.person({ login: 'director', bypassCSP: true });
    await director.signIn();
    await director.button('home.visit').waitFor();
    const problems = await look(director, 'home-director-ar-laptop');
    await director.button('home.visit').click();
    await director.controls().waitFor();
    await teacher.page.getByText(/زيارة/).first().waitFor();
    assert.deepEqual(problems, []);
    await director.close();
    await teacher.close();
  });

  for (const [deviceName, language] of [
    ['phone', 'ar'],
    ['laptop', 'fr'],
  ]) {
    test(`the administrator watches the servers: ${language} on ${deviceName}`, async () => {
      const student = await scene.person({ login: 'student31' });
      await student.signIn();
      await student.enterLesson();
      const administrator = await scene.person({
        login: 'administrator',
        device: DEVICES[deviceName],
        language,
        bypassCSP: true,
      });
      await administrator.page.goto(scene.school.url);
      await administrator.speak(language);
      await administrator.signIn();
      await administrator.page.getByText(administrator.t('fleet.serving'), { exact: true }).waitFor();
      const students = administrator.page.getByRole('definition').nth(1);
      await eventually('the student is counted', async () => /^[1١]$/.test(await students.innerText()));
      assert.deepEqual(await look(administrator, `fleet-${language}-${deviceName}`), []);
      await administrator.close();
      await student.close();
    });
  }

  test('ar → fr → ar during a lesson keeps the draft, the devices and the voice', async () => {
    const teacher = await scene.person({ login: 'teacher3', hue: 200, hz: 500 });
    const student = await scene.person({ login: 'student61', hz: 900 });
    for (const person of [teacher, student]) {
      await person.signIn();
      await person.enterLesson();
    }
    await eventually('the voice is there', () => hears(student.page, 500));
    const input = await student.openChat();
    await input.fill('سؤال لم يُرسَل بعد');
    for (const language of ['fr', 'ar']) {
      await student.button('home.settings').click();
      await student.speak(language);
      await student.page.keyboard.press('Escape');
      assert.equal(await student.page.locator('html').getAttribute('dir'), language === 'ar' ? 'rtl' : 'ltr');
      assert.equal(await (await student.openChat()).inputValue(), 'سؤال لم يُرسَل بعد');
      await eventually(`the voice goes on in ${language}`, () => hears(student.page, 500));
    }
    await eventually('the picture is there', () => sees(student.page, 200));
    const captures = await teacher.page.evaluate(() => window.captures);
    for (const language of ['fr', 'ar']) {
      await teacher.button('home.settings').click();
      await teacher.speak(language);
      await teacher.page.keyboard.press('Escape');
      assert.ok(await sees(student.page, 200), `the picture goes on in ${language}`);
      await eventually(`the voice goes on in ${language}`, () => hears(student.page, 500));
      await teacher.button('bar.cameraOff').waitFor();
    }
    assert.equal(await teacher.page.evaluate(() => window.captures), captures, 'no device was opened again');
  });

  test('a wrong password is answered in the language of the page', async () => {
    const person = await scene.person({ login: 'student5', language: 'fr' });
    await person.page.goto(scene.school.url);
    await person.speak('fr');
    await person.page.getByLabel(person.t('signIn.login'), { exact: true }).fill('student5');
    await person.page.getByLabel(person.t('signIn.password'), { exact: true }).fill('not this one');
    await person.page.getByRole('button', { name: person.t('signIn.submit'), exact: true }).click();
    await person.page.getByText(person.t('signIn.wrong')).first().waitFor();
  });

  test('without a permission the lesson can still be heard', async () => {
    const teacher = await scene.person({ login: 'teacher1', hz: 600 });
    await teacher.signIn();
    await teacher.enterLesson();
    const student = await scene.person({ login: 'student9', permissions: [] });
    await student.signIn();
    await student.enterLesson({ listenOnly: true });
    await eventually('the voice is there', () => hears(student.page, 600));
  });
});
