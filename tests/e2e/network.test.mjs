// A student whose network is bad, or another one from now on: real Chromium in a network namespace of its own. Needs root, iproute2 and nftables.
import assert from 'node:assert/strict';
import { keepConnections } from './support/connections.mjs';
import { eventually, hears } from './support/identity.mjs';
import { cut, inNamespace, lose, moveTo, openCable } from './support/network.mjs';
import { before, opened, SCHOOL_AND_BROWSER, test } from './support/scene.mjs';

const TEACHER = { login: 'teacher1', language: 'ar', hue: 200, hz: 700 };

inNamespace('a student on a bad network', import.meta.url, 5, () => {
  const scene = opened({ cable: () => openCable(), ...SCHOOL_AND_BROWSER });
  let teacher, student;

  before(async () => {
    teacher = await scene.person(TEACHER);
    await teacher.signIn();
    await teacher.enterLesson();
    student = await scene.person({ login: 'student1', language: 'ar' });
    await student.context.addInitScript(keepConnections);
    await student.signIn();
    await student.enterLesson({ listenOnly: true });
    await eventually('the student hears', () => hears(student.page, TEACHER.hz));
  });

  const allAreHere = (count = 2) =>
    eventually('everybody is still here', async () =>
      new RegExp(`\\(${count}\\)`).test(
        await teacher.page
          .getByRole('tab', { name: new RegExp(teacher.t('people.title').slice(0, 6)) })
          .first()
          .innerText(),
      ),
    );

  test('hears on after moving to another network, without a tap, and nobody sees a leave', async () => {
    moveTo('10.78.0.1/24');
    const before = await received(student.page);
    await eventually('packets come to the new address', async () => (await received(student.page)) > before + 20);
    await eventually('the student hears', () => hears(student.page, TEACHER.hz));
    await allAreHere();
  });

  test('hears on where UDP passes no more, before the browser has noticed, by new credentials on the same connection', async () => {
    const before = await connections(student.page);
    lose(100);
    await eventually(
      'the leg was restarted',
      async () => (await connections(student.page))[0].credentials !== before[0].credentials,
    );
    const then = await received(student.page);
    await eventually('packets come by another way', async () => (await received(student.page)) > then + 50);
    const after = await connections(student.page);
    assert.equal(after.length, before.length, 'no connection was made anew');
    lose(0);
    await allAreHere();
  });

  test('hears on after a network that was dead for ten seconds', async () => {
    const before = await connections(student.page);
    cut();
    await eventually('the browser notices', async () =>
      (await connections(student.page)).every(({ state }) => state !== 'connected'),
    );
    await new Promise((done) => setTimeout(done, 7_000));
    lose(0);
    await eventually('the student hears', () => hears(student.page, TEACHER.hz));
    assert.equal((await connections(student.page)).length, before.length, 'no connection was made anew');
    await allAreHere();
  });

  test('comes in while a third of all datagrams is lost', async () => {
    lose(30);
    const late = await scene.person({ login: 'student2', language: 'ar' });
    await late.signIn();
    await late.enterLesson({ listenOnly: true });
    await eventually('the late student hears', () => hears(late.page, TEACHER.hz), 60_000);
    lose(0);
  });

  test('hears over TCP where no UDP passes, who is there and who comes', async () => {
    lose(100);
    const late = await scene.person({ login: 'student3', language: 'ar' });
    await late.signIn();
    await late.enterLesson({ listenOnly: true });
    for (const person of [late, student])
      await eventually(`${person.login} hears`, () => hears(person.page, TEACHER.hz));
    await allAreHere(4);
  });
});

/** Audio packets that came to this page. */
function received(page) {
  return page.evaluate(async () => {
    const reports = await Promise.all(
      window.connections.map(async (connection) => [...(await connection.getStats()).values()]),
    );
    return reports
      .flat()
      .reduce(
        (sum, report) => sum + (report.type === 'inbound-rtp' && report.kind === 'audio' ? report.packetsReceived : 0),
        0,
      );
  });
}

/** The connections this page has made: their state and the server's ICE credentials. */
function connections(page) {
  return page.evaluate(() =>
    window.connections.map((connection) => ({
      state: connection.connectionState,
      credentials: connection.remoteDescription?.sdp.match(/a=ice-ufrag:(\S+)/)?.[1],
    })),
  );
}
