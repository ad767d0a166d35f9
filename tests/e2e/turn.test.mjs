// A network that lets nothing through but HTTPS and the school's TURN server: a teacher and a student behind it, in real Chromium at the far end
// of a cable; Debian's coturn at the near end. Needs root, iproute2, nftables and coturn.
import assert from 'node:assert/strict';
import { CHROMIUM, launch } from './support/browser.mjs';
import { keepConnections } from './support/connections.mjs';
import { eventually, hears } from './support/identity.mjs';
import { inNamespace, letThroughOnly, openFarEnd } from './support/network.mjs';
import { openRelay } from './support/relay.mjs';
import { opened, test } from './support/scene.mjs';
import { openSchool } from './support/school.mjs';

const NEAR = '10.77.0.1';
const TEACHER = { login: 'teacher1', language: 'ar', hue: 200, hz: 700 };

inNamespace('a network that lets only a TURN server through', import.meta.url, 2, () => {
  const scene = opened({
    far: () => openFarEnd(CHROMIUM),
    relay: () => openRelay(NEAR),
    school: ({ relay }) => openSchool({ host: '0.0.0.0', config: relay.config }),
    browser: ({ far, relay, school }) => {
      far.reach(school.port);
      letThroughOnly([school.port, relay.port]);
      const resolver = `--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost , EXCLUDE ${NEAR}`;
      return launch({ executablePath: far.browser, args: [resolver, '--ignore-certificate-errors'] });
    },
  });

  async function enter(options, wish) {
    const person = await scene.person(options);
    await person.context.addInitScript(keepConnections);
    await person.signIn();
    await person.enterLesson(wish);
    return person;
  }

  test('a teacher speaks and a student hears, both by the relay and by TLS', async () => {
    const teacher = await enter(TEACHER);
    const student = await enter({ login: 'student1', language: 'ar' }, { listenOnly: true });
    await eventually('the student hears', () => hears(student.page, TEACHER.hz));
    for (const person of [teacher, student]) {
      const ways = await waysOf(person.page);
      assert.ok(ways.length > 0 && ways.every((way) => way === 'relay tls'), `${person.login}: ${ways}`);
    }
  });

  test('passes stay out of the logs of the server', () => {
    assert.match(scene.relay.output(), /\d{10}:[0-9a-f-]{36}/, 'coturn names who came');
    assert.doesNotMatch(scene.school.output(), /\d{10}:[0-9a-f-]{36}|a secret of this school/);
  });
});

/** How each connection of a page that is up reaches the server. */
function waysOf(page) {
  return page.evaluate(async () => {
    const ways = [];
    for (const connection of window.connections.filter(({ connectionState }) => connectionState === 'connected')) {
      const reports = await connection.getStats();
      const transport = [...reports.values()].find(({ type }) => type === 'transport');
      const local = reports.get(reports.get(transport.selectedCandidatePairId).localCandidateId);
      ways.push(`${local.candidateType} ${local.relayProtocol ?? local.protocol}`);
    }
    return ways;
  });
}
