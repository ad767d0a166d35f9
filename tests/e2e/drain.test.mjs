// A server is ended in the middle of a lesson, as a rolling upgrade does it: everybody moves to another one, and nobody notices.
import assert from 'node:assert/strict';
import { launch, PHONE } from './support/browser.mjs';
import { followNode, openCluster } from './support/cluster.mjs';
import { gapsDuring, watchGaps } from './support/gaps.mjs';
import { eventually, hears, sees } from './support/identity.mjs';
import { Person } from './support/person.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const HZ = 440;
const HUE = 120;
/** Far above what is measured: this machine may be busy. */
const GENEROUS_MS = 3_000;

describe('a lesson whose server is ended', { concurrency: false }, () => {
  const scene = opened({ cluster: () => openCluster(), near: () => launch(), away: () => launch() });
  let teacher, student, nodes;

  before(async () => {
    const { cluster, near, away } = scene;
    teacher = await Person.open(near, cluster, { login: 'teacher1', hue: HUE, hz: HZ });
    student = await Person.open(away, cluster, { login: 'student1', device: PHONE, bypassCSP: true });
    nodes = [teacher, student].map(({ page }) => followNode(page));
    await teacher.signIn();
    await teacher.enterLesson();
    await teacher.turnCameraOn();
    await student.signIn();
    await student.enterLesson({ listenOnly: true });
    await eventually('the student hears', () => hears(student.page, HZ));
    await eventually('the student sees', () => sees(student.page, HUE));
  });

  const where = () => nodes.map((node) => node());

  test('people of a lesson meet on one server', () => {
    const [one, other] = where();
    assert.equal(one, other);
  });

  test('it goes on on another one: voice and picture go on, a raised hand and a line are there, nothing is said of it', async () => {
    const [from] = where();
    await student.button('bar.hand').click();
    await teacher.button('floor.giveTo').waitFor();
    await watchGaps(student.page, {
      hue: HUE,
      words: [student.t('connection.reconnectingHint'), student.t('people.cutNow')],
    });
    for (const person of [teacher, student]) person.problems.length = 0; // who is signed out has been told so
    const { took, gaps } = await gapsDuring([student.page], async () => {
      const ending = scene.cluster.stop(from);
      await student.say('أنا هنا');
      return ending;
    });
    const [{ silence, blank, words }] = gaps;
    console.log(
      `the server ended after ${took} ms; the longest silence was ${silence} ms, the longest time without the picture ${blank} ms`,
    );
    assert.ok(took <= 30_000, `ended in time: ${took}`);
    const [one, other] = where();
    assert.notEqual(one, from);
    assert.equal(one, other, 'together on another one');
    assert.deepEqual(words, []);
    assert.ok(silence < GENEROUS_MS && blank < GENEROUS_MS, `${silence} ${blank}`);
    await eventually('heard', () => hears(student.page, HZ));
    await eventually('seen', () => sees(student.page, HUE));
    await teacher.openChat();
    await teacher.line('أنا هنا').waitFor();
    await teacher.button('floor.giveTo').waitFor();
    assert.deepEqual([...teacher.problems, ...student.problems], []);
  });
});
