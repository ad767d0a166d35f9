// Sound under the browser's own rule: nothing plays before a tap. The teacher's browser is free of it (its tone is made by the test),
// the student's is as people have it.
import assert from 'node:assert/strict';
import { launch, PHONE } from './support/browser.mjs';
import { eventually, hearsRecorded, never } from './support/identity.mjs';
import { openSchool } from './support/school.mjs';
import { Person } from './support/person.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const HZ = 440;

/** Runs in the page before any script: remembers every wake lock it is given. */
function rememberLocks() {
  window.wakeLocks = [];
  const request = navigator.wakeLock.request.bind(navigator.wakeLock);
  navigator.wakeLock.request = async (kind) => {
    const lock = await request(kind);
    window.wakeLocks.push(lock);
    return lock;
  };
}

/**
 * Runs in the page before any script: says on the console what came of playing a voice. Whatever the driver evaluates in a page
 * counts as a tap there, so the page is left alone until it has said so.
 */
function tellPlays() {
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    const outcome = play.call(this);
    if (this instanceof HTMLAudioElement)
      outcome.then(
        () => console.debug('voice: plays'),
        ({ name }) => console.debug(`voice: ${name}`),
      );
    return outcome;
  };
}

/** What came of playing a voice after `act`: the first outcome like this. */
async function voiceAfter(page, act, like) {
  const said = page.waitForEvent('console', {
    predicate: (line) => line.text().startsWith('voice: ') && like.test(line.text()),
  });
  await act();
  return (await said).text().slice('voice: '.length);
}

describe('sound and the screen under the browser’s own rules', { concurrency: false }, () => {
  const scene = opened({
    school: () => openSchool(),
    free: () => launch(),
    strict: () => launch({ freeSound: false }),
  });
  let teacher, student;

  before(async () => {
    teacher = await Person.open(scene.free, scene.school, { login: 'teacher1', hz: HZ });
    student = await Person.open(scene.strict, scene.school, {
      login: 'student1',
      hz: null,
      device: PHONE,
      permissions: ['camera', 'microphone', 'screen-wake-lock'],
    });
    for (const script of [rememberLocks, tellPlays]) await student.context.addInitScript(script);
    await teacher.signIn();
    await teacher.enterLesson();
  });

  const held = (page) => page.evaluate(() => window.wakeLocks.filter((lock) => !lock.released).length);
  const named = (page) =>
    page.evaluate(() => [navigator.mediaSession.metadata?.title ?? null, navigator.mediaSession.playbackState]);

  test('the join tap is the tap that sound waits for', async () => {
    await student.signIn();
    await student.enterLesson({ listenOnly: true });
    await eventually('the voice is there', () => hearsRecorded(student.page, HZ));
    assert.equal(await student.button('lesson.tapToHear').isVisible(), false);
  });

  test('the screen stays on and the lock screen names the lesson in the reader’s language', async () => {
    await eventually('one wake lock', async () => (await held(student.page)) === 1);
    const [title, state] = await named(student.page);
    assert.ok((await student.page.getByRole('heading', { level: 1 }).innerText()).startsWith(title));
    assert.match(title, /\p{Script=Arabic}/u);
    assert.equal(state, 'playing');
  });

  test('a reload that the browser mutes is one tap away from being heard, anywhere on the page', async () => {
    assert.equal(
      await voiceAfter(student.page, () => student.page.reload({ waitUntil: 'commit' }), /./),
      'NotAllowedError',
    );
    const tap = student.button('lesson.tapToHear');
    await tap.waitFor();
    await never('sound before the tap', () => hearsRecorded(student.page, HZ), 1_500);
    const box = await tap.boundingBox();
    assert.ok(box.height >= 56 && box.width >= 200, `large enough to find: ${box.width}×${box.height}`);
    await student.page.getByRole('region', { name: student.t('lesson.stage') }).click({ position: { x: 20, y: 120 } });
    await tap.waitFor({ state: 'hidden' });
    await eventually('the voice is there', () => hearsRecorded(student.page, HZ));
  });

  test('who speaks hears again after a reload without a tap: a page that captures may play', async () => {
    await student.button('bar.hand').click();
    await teacher.button('floor.giveTo').click();
    await student.button('bar.microphoneOn').click();
    await student.button('bar.microphoneOff').waitFor();
    assert.equal(await voiceAfter(student.page, () => student.page.reload({ waitUntil: 'commit' }), /plays/), 'plays');
    await student.button('bar.microphoneOff').waitFor();
    assert.equal(await student.button('lesson.tapToHear').isVisible(), false);
    await eventually('the voice is back', () => hearsRecorded(student.page, HZ));
  });

  test('a microphone that is taken away is off for the class too, and back with the next look at the page', async () => {
    await eventually('the teacher sees the microphone on', () =>
      teacher.page.getByText(teacher.t('people.microphoneOn')).nth(1).isVisible(),
    );
    await student.context.clearPermissions(); // the browser ends the capture, as for a call, and lets no new one begin
    await student.page.getByText(student.t('device.deniedTitle')).first().waitFor();
    await student.button('bar.microphoneOn').waitFor();
    await eventually(
      'the sign is gone',
      async () => (await teacher.page.getByText(teacher.t('people.microphoneOn')).count()) === 1,
    );
    await student.context.grantPermissions(['camera', 'microphone', 'screen-wake-lock']);
    await student.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await student.button('bar.microphoneOff').waitFor();
    await eventually(
      'the sign is back',
      async () => (await teacher.page.getByText(teacher.t('people.microphoneOn')).count()) === 2,
    );
  });

  test('out of the lesson the screen may sleep and the lock screen names nothing', async () => {
    await eventually('one wake lock', async () => (await held(student.page)) === 1);
    await student.button('bar.leave').click();
    await student.page
      .getByRole('dialog')
      .getByRole('button', { name: student.t('bar.leave'), exact: true })
      .click();
    await student.page.getByText(student.t('over.leftTitle')).waitFor();
    await eventually('no wake lock', async () => (await held(student.page)) === 0);
    assert.deepEqual(await named(student.page), [null, 'none']);
  });
});
