// What happens to people: a reload without a network, the back button, a plug that slips out, a file dropped on the page, a phone that is
// turned while somebody writes. Nothing is lost, and the page says what is wrong for as long as it is.
import assert from 'node:assert/strict';
import { PHONE, PHONE_LANDSCAPE } from './support/browser.mjs';
import { eventually, hears } from './support/identity.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const HZ = 440;

/** Runs in a page before any script: devices that can be pulled out and plugged back in. */
function pluggable() {
  const { mediaDevices } = navigator;
  if (!mediaDevices) return;
  const capture = mediaDevices.getUserMedia.bind(mediaDevices);
  const tracks = [];
  let gone = false;
  mediaDevices.getUserMedia = async (wanted) => {
    if (gone) throw new DOMException('nothing is plugged in', 'NotFoundError');
    const stream = await capture(wanted);
    tracks.push(...stream.getTracks());
    return stream;
  };
  window.plug = (inside) => {
    gone = !inside;
    if (gone)
      for (const track of tracks.splice(0))
        if (track.readyState === 'live') {
          track.stop();
          track.dispatchEvent(new Event('ended'));
        }
    mediaDevices.dispatchEvent(new Event('devicechange'));
  };
}

describe('mishaps', { concurrency: false }, () => {
  const scene = opened();
  let teacher, student;

  before(async () => {
    teacher = await scene.person({ login: 'teacher1', language: 'fr', hz: HZ });
    await teacher.context.addInitScript(pluggable);
    student = await scene.person({ login: 'student1', device: PHONE });
    for (const person of [teacher, student]) {
      await person.signIn();
      await person.enterLesson();
    }
    await eventually('the voice', () => hears(student.page, HZ));
  });

  for (const [part, address] of [
    ['the program', /\/assets\/index-[^/]*\.js$/],
    ['its looks', /\/assets\/index-[^/]*\.css$/],
    ['its words', /\/assets\/ar-[^/]*\.js$/],
  ])
    test(`a page that loses ${part} on its way starts over by itself`, async () => {
      const context = await scene.browser.newContext({ locale: 'ar', serviceWorkers: 'block' });
      const page = await context.newPage();
      let asked = 0;
      await page.route(address, (route) => {
        asked += 1;
        return asked < 3 ? route.abort('connectionaborted') : route.continue();
      });
      await page.goto(scene.school.url);
      await page.getByText('في انتظار الشبكة').waitFor();
      await eventually('all of it is asked for again', () => asked >= 3);
      await page.getByLabel(student.t('signIn.login'), { exact: true }).waitFor();
      assert.equal(await page.getByText('في انتظار الشبكة').count(), 0);
      await context.close();
    });

  test('who reloads without a network is back in the lesson by itself, with the half-written line', async () => {
    await (await student.openChat()).fill('نصف جملة');
    // The shell of the app is kept by its worker, once that rules the page.
    await student.page.evaluate(() => navigator.serviceWorker.ready);
    await student.context.setOffline(true);
    await student.page.reload();
    await student.page.getByText(student.t('app.awayTitle')).waitFor();
    assert.equal(
      await student.page.getByLabel(student.t('signIn.password'), { exact: true }).count(),
      0,
      'nobody asks for a password',
    );
    await student.context.setOffline(false);
    await student.controls().waitFor();
    await eventually('the voice is back', () => hears(student.page, HZ));
    assert.equal(await (await student.openChat()).inputValue(), 'نصف جملة');
  });

  test('the same while the server is away', async () => {
    await scene.school.stop('SIGKILL');
    await student.page.reload();
    await student.page.getByText(student.t('app.awayTitle')).waitFor();
    await scene.school.restart();
    await student.controls().waitFor();
    await eventually('the voice is back', () => hears(student.page, HZ));
  });

  test('who goes back and forward is the same session', async () => {
    const session = () => student.page.evaluate(() => sessionStorage.getItem('qism.session'));
    const before = await session();
    await student.page.goBack();
    await student.button('home.signOut').waitFor();
    await student.page.goForward();
    await student.controls().waitFor();
    assert.equal(await session(), before);
    await eventually('the voice is back', () => hears(student.page, HZ));
  });

  test('a microphone that is pulled out is told until it is plugged back in, and is on again then', async () => {
    const words = teacher.page.getByText(teacher.t('device.notFoundTitle')).first();
    await teacher.page.evaluate(() => window.plug(false));
    await words.waitFor();
    await eventually('the student hears nobody', async () => !(await hears(student.page, HZ)));
    await teacher.page.evaluate(() => window.plug(true));
    await eventually('the voice is back', () => hears(student.page, HZ));
    await words.waitFor({ state: 'hidden' });
  });

  test('who talks with the microphone muted is told that nobody hears', async () => {
    await teacher.button('bar.microphoneOff').click();
    await teacher.page.getByText(teacher.t('connection.unheard')).first().waitFor();
    await teacher.button('bar.microphoneOn').click();
    await eventually('the voice is back', () => hears(student.page, HZ));
  });

  test('a lesson that was started a moment ago is named at its door', async () => {
    const other = await scene.person({ login: 'teacher4', language: 'fr' });
    await other.signIn();
    await other.page.getByRole('button', { name: other.t('home.startNowConfirm') }).dblclick();
    await other.page.getByRole('heading', { name: other.t('check.title') }).waitFor();
    await other.page.getByText('1APIC-1').first().waitFor();
    await other.close();
  });

  test('a file dropped on the page does not take its place', async () => {
    const kept = await teacher.page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(['%PDF'], 'cours.pdf', { type: 'application/pdf' }));
      return !document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    });
    assert.ok(kept);
  });

  test('a lying phone shows the line being written above its keyboard', async () => {
    const { width } = PHONE_LANDSCAPE.viewport;
    await student.page.setViewportSize(PHONE_LANDSCAPE.viewport);
    const input = await student.openChat();
    await input.tap();
    const height = 170;
    await student.page.setViewportSize({ width, height });
    await input.fill('سؤال');
    const box = await input.boundingBox();
    assert.ok(box.y >= 0 && box.y + box.height <= height, `${box.y} + ${box.height} of ${height}`);
    const send = await student.page.getByRole('button', { name: student.t('chat.send') }).boundingBox();
    assert.ok(send.y + send.height <= height);
    await student.page.setViewportSize(PHONE.viewport);
  });

  test('who signs out in one tab is out in all, also of the lesson', async () => {
    const home = await student.context.newPage();
    await home.goto(scene.school.url);
    await home.getByRole('button', { name: student.t('home.signOut') }).click();
    await student.page.getByLabel(student.t('signIn.password'), { exact: true }).waitFor();
    await eventually('the voice is gone', async () => !(await hears(student.page, HZ)));
  });
});
