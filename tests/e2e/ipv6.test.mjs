// A school whose network speaks IPv6 alone: page, signaling, voice and picture, in a namespace that has no other address.
import assert from 'node:assert/strict';
import { launch } from './support/browser.mjs';
import { eventually, hears, sees } from './support/identity.mjs';
import { inNamespace, openCable } from './support/network.mjs';
import { opened, test } from './support/scene.mjs';
import { openSchool } from './support/school.mjs';

const TEACHER = { login: 'teacher1', hue: 200, hz: 700 };

inNamespace('a lesson over IPv6', import.meta.url, 1, () => {
  const scene = opened({
    cable: () => openCable('fd77::1/64'),
    school: () => openSchool({ host: '[::1]' }),
    browser: () => launch(),
  });

  test('the student hears and sees the teacher', async () => {
    assert.match(scene.school.url, /^http:\/\/\[::1\]:/);
    const teacher = await scene.person(TEACHER);
    const student = await scene.person({ login: 'student1', hue: 0 });
    for (const person of [teacher, student]) {
      await person.signIn();
      await person.enterLesson();
    }
    await teacher.turnCameraOn();
    await eventually('the student hears', () => hears(student.page, TEACHER.hz));
    await eventually('the student sees', () => sees(student.page, TEACHER.hue));
  });
});
