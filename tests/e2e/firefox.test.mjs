// The basic lesson once more with a second engine: a student in Firefox under a teacher in Chromium, then a teacher in Firefox.
// Judged as in Chromium: by decoded pixels of the sender's color and by the sender's tone in what the page plays.
import assert from 'node:assert/strict';
import { launch } from './support/browser.mjs';
import { FIREFOX_HZ, FirefoxPerson, launchFirefox } from './support/firefox.mjs';
import { eventually, hears, never, sees } from './support/identity.mjs';
import { openSchool } from './support/school.mjs';
import { Person } from './support/person.mjs';
import { after, before, describe, opened, test } from './support/scene.mjs';

describe('a lesson with Firefox in it', { concurrency: false }, () => {
  const scene = opened({ school: () => openSchool(), chromium: () => launch(), firefox: () => launchFirefox() });

  describe('a student in Firefox, the teacher in Chromium', { concurrency: false }, () => {
    let teacher, student;

    before(async () => {
      teacher = await Person.open(scene.chromium, scene.school, { login: 'teacher1', hue: 0, hz: 440 });
      student = await FirefoxPerson.open(scene.firefox, scene.school, { login: 'student1', hue: 120 });
      await teacher.signIn();
      await teacher.enterLesson();
      await student.signIn();
      await student.enterLesson();
    });
    after(async () => {
      await teacher?.close();
      await student?.close();
    });

    test('the student hears and sees the teacher', async () => {
      await eventually('the voice is there', () => student.hears(440));
      await teacher.turnCameraOn();
      await eventually('the picture is there', () => sees(student.page, 0));
    });

    test('chat goes both ways', async () => {
      await teacher.say('من الأستاذ: x² = 9');
      await student.openChat();
      await eventually('the student reads', () => student.reads('من الأستاذ: x² = 9'));
      await student.say('Réponse : x = 3 أو x = -3');
      await teacher.openChat();
      await teacher.line('Réponse : x = 3 أو x = -3').waitFor();
    });

    test('hand, floor, and the student is heard, and then not', async () => {
      await student.press('bar.hand');
      await teacher.button('floor.giveTo').click();
      await student.press('bar.microphoneOn');
      await eventually('the teacher hears the student', () => hears(teacher.page, FIREFOX_HZ));
      await teacher.button('floor.takeFrom').click();
      await eventually('silence', async () => !(await hears(teacher.page, FIREFOX_HZ)));
      await never('heard without the floor', () => hears(teacher.page, FIREFOX_HZ), 2_000);
    });

    test('a reload is back in the lesson, with sound after at most one tap', async () => {
      await student.page.reload();
      await student.page.waitForSelector('[role=toolbar]');
      await eventually(
        'the voice is back, or the tap that brings it is offered',
        async () => (await student.shows('lesson.tapToHear')) || (await student.hears(440)),
      );
      if (await student.shows('lesson.tapToHear')) await student.press('lesson.tapToHear');
      await eventually('the voice is back', () => student.hears(440));
      await student.openChat();
      await eventually('the lines are there', () => student.reads('من الأستاذ: x² = 9'));
    });

    test('no page had an error, and nobody asked any other host', () => {
      const { url } = scene.school;
      const own = [url, url.replace('http', 'ws'), 'data:', 'blob:', 'about:'];
      assert.deepEqual(
        student.requests.filter((url) => !own.some((start) => url.startsWith(start))),
        [],
      );
      assert.deepEqual(
        [...teacher.problems, ...student.problems].filter((text) => !/Failed to load resource/.test(text)),
        [],
      );
    });
  });

  describe('the teacher in Firefox, a student in Chromium', { concurrency: false }, () => {
    let teacher, student;

    before(async () => {
      teacher = await FirefoxPerson.open(scene.firefox, scene.school, { login: 'teacher2', hue: 240 });
      student = await Person.open(scene.chromium, scene.school, { login: 'student31', hue: 60, hz: 700 });
      await teacher.signIn();
      await teacher.enterLesson();
      await student.signIn();
      await student.enterLesson();
    });
    after(async () => {
      await teacher?.close();
      await student?.close();
    });

    test('the student hears and sees the teacher', async () => {
      await eventually('the voice is there', () => hears(student.page, FIREFOX_HZ));
      await eventually('the picture is there', () => sees(student.page, 240));
    });

    test('mute is silence, and speaking again is heard', async () => {
      await teacher.press('bar.microphoneOff');
      await eventually('silence', async () => !(await hears(student.page, FIREFOX_HZ)));
      await teacher.press('bar.microphoneOn');
      await eventually('the voice is back', () => hears(student.page, FIREFOX_HZ));
    });

    test('chat goes both ways, and a hand is seen', async () => {
      await teacher.say('السلام عليكم');
      await student.openChat();
      await student.line('السلام عليكم').waitFor();
      await student.say('وعليكم السلام');
      await eventually('the teacher reads', () => teacher.reads('وعليكم السلام'));
      await student.button('bar.hand').click();
      await teacher.press('floor.giveTo');
      await student.button('bar.microphoneOn').click();
      await eventually('the teacher hears the student', () => teacher.hears(700));
    });
  });
});
