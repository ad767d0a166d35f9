// A lesson whose people are on three servers: everybody hears and sees everybody, as if they were on one.
import assert from 'node:assert/strict';
import { launch, PHONE } from './support/browser.mjs';
import { followNode, openCluster } from './support/cluster.mjs';
import { eventually, hears, never, sees } from './support/identity.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const TEACHER = { login: 'teacher1', hue: 0, hz: 440 };
const STUDENTS = [
  { login: 'student1', hue: 120, hz: 700, device: PHONE },
  { login: 'student2', hue: 240, hz: 1000 },
];

/** From now on tickets send this person to that server, as they do when the others are full. */
function sendTo(page, node) {
  return page.route('**/api/lessons/*/ticket', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), socket: `/ws/node${node}` } });
  });
}

/** Bytes that somebody is told their lesson has cost, by every WebSocket that their page opens from now on. */
function followAccount(page) {
  const told = [];
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      const frame = JSON.parse(payload);
      if (frame.type === 'data_used') told.push(frame.bytes);
    }),
  );
  return told;
}

describe('a lesson on three servers', { concurrency: false }, () => {
  const scene = opened({ school: () => openCluster(), browser: () => launch() });
  let teacher, students;

  before(async () => {
    teacher = await scene.person(TEACHER);
    students = [];
    for (const student of STUDENTS) students.push(await scene.person(student));
    const everybody = [teacher, ...students];
    const nodes = everybody.map(({ page }) => followNode(page));
    for (const [place, person] of everybody.entries()) {
      await sendTo(person.page, place + 1);
      await person.signIn();
      await person.enterLesson();
    }
    assert.deepEqual(
      nodes.map((node) => node()),
      [1, 2, 3],
    );
  });

  test('the teacher is heard and seen on all', async () => {
    await teacher.turnCameraOn();
    for (const student of students) {
      await eventually(`${student.login} hears the teacher`, () => hears(student.page, TEACHER.hz));
      await eventually(`${student.login} sees the teacher`, () => sees(student.page, TEACHER.hue));
    }
  });

  test('a student with the floor is heard on all, and nobody without it', async () => {
    const [speaker, listener] = students;
    await speaker.button('bar.hand').click();
    await teacher.button('floor.giveTo').click();
    await speaker.button('bar.microphoneOn').click();
    for (const person of [teacher, listener])
      await eventually(`${person.login} hears ${speaker.login}`, () => hears(person.page, STUDENTS[0].hz));
    await teacher.button('floor.takeFrom').click();
    await eventually('silence', async () => !(await hears(listener.page, STUDENTS[0].hz)));
    await never('heard without the floor', () => hears(teacher.page, STUDENTS[0].hz), 2000);
    await eventually('the teacher is still heard', () => hears(listener.page, TEACHER.hz));
  });

  test('the teacher reloads and is heard and seen again on all', async () => {
    await teacher.page.reload();
    await teacher.controls().waitFor();
    for (const student of students) {
      await eventually(`${student.login} hears the teacher again`, () => hears(student.page, TEACHER.hz));
      await eventually(`${student.login} sees the teacher again`, () => sees(student.page, TEACHER.hue));
    }
  });

  test('a server is killed, and its student goes on elsewhere, with the account of data', async () => {
    const [student] = students;
    const before = followAccount(student.page);
    await student.page.reload();
    await student.controls().waitFor();
    await eventually('some is used', () => before.at(-1) > 200_000);
    await student.page.unroute('**/api/lessons/*/ticket');
    const [used, after] = [before.at(-1), followAccount(student.page)];
    scene.school.kill(2);
    await eventually('the voice is back', () => after.length > 0 && hears(student.page, TEACHER.hz));
    await teacher.say('هل عدتم؟');
    await student.openChat();
    await student.line('هل عدتم؟').waitFor();
    await eventually('what was used is known', () => after.at(-1) >= used);
  });
});
