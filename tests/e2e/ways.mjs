// How a student's voice finds another way through a network that changes or blocks: real browsers at the far end of a cable between two
// namespaces, the real server at the near end. `node ways.mjs [--joins 10] [--drops 5] [--moves 12]`; needs root, nftables and iproute2.
// Writes target/bench/network.json. A measurement, not a test: see benches/README.md.
import { parseArgs } from 'node:util';
import { enterNamespace, writeFigures } from './support/bench.mjs';
import { CHROMIUM, launch } from './support/browser.mjs';
import { FirefoxPerson, launchFirefox } from './support/firefox.mjs';
import { lose, loseOnCable, openFarEnd } from './support/network.mjs';
import { Person } from './support/person.mjs';
import { openSchool } from './support/school.mjs';
import { gapAfter, stopwatch, untilHeard } from './support/stopwatch.mjs';

const { values } = parseArgs({
  options: {
    joins: { type: 'string', default: '10' },
    drops: { type: 'string', default: '5' },
    moves: { type: 'string', default: '12' },
  },
});
const [joins, drops, moves] = [values.joins, values.drops, values.moves].map(Number);

/** So long it is a lesson already. */
const LESSON_MS = 5_000;

enterNamespace();

const far = openFarEnd(CHROMIUM);
const near = await launch({ args: ['--ignore-certificate-errors'] });
const away = await launch({ executablePath: far.browser, args: ['--ignore-certificate-errors'] });
// It is driven by a socket, so it is at the near end. Its proxy, which keeps it from asking anybody else, is not for media.
const fox = await launchFirefox({ preferences: { 'network.proxy.no_proxies_on': '127.0.0.1, localhost, 10.77.0.1' } });
const figures = {};

/** Notes the figures of some times; those that did not come are counted. */
function note(name, times) {
  const took = times.filter((time) => time !== undefined).sort((a, b) => a - b);
  const quantile = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))];
  figures[`${name}.count`] = times.length;
  figures[`${name}.failed`] = times.length - took.length;
  if (took.length > 0)
    Object.assign(figures, {
      [`${name}.p50_ms`]: quantile(0.5),
      [`${name}.p95_ms`]: quantile(0.95),
      [`${name}.max_ms`]: took.at(-1),
    });
  console.log(name, times.join(' '));
}

async function open(options, teach = () => undefined) {
  const school = await openSchool({ host: '0.0.0.0', ...options });
  far.reach(school.port);
  const teacher = await Person.open(near, school, { login: 'teacher1', language: 'fr' });
  await teacher.signIn();
  teach();
  await teacher.enterLesson();
  return { school, teacher };
}

async function enter(school, number) {
  const person = await Person.open(away, school, { login: `student${number}`, language: 'fr' });
  await person.context.addInitScript(stopwatch);
  await person.signIn();
  await person.enterLesson({ listenOnly: true });
  return person;
}

async function enterByFirefox(school, number) {
  const person = await FirefoxPerson.open(fox, school, { login: `student${number}`, language: 'fr' });
  await person.page.evaluateOnNewDocument(stopwatch);
  await person.signIn();
  await person.enterLesson();
  return person;
}

/** Joins while no UDP passes. */
async function joinsWithoutUdp(name, options, enterBy, drop) {
  // The teacher, too: else the first student waits until the teacher has found another way.
  const { school } = await open(options, () => drop(100));
  const times = [];
  for (let number = 1; number <= joins; number += 1) {
    const person = await enterBy(school, number);
    times.push(await untilHeard(person.page));
    await person.close();
  }
  drop(0);
  note(name, times);
  await school.close();
}

/** From the moment on in which UDP passes no more, in the middle of a lesson. */
async function dropsOfUdp(name, enterBy, drop) {
  // The teacher is on TCP from the beginning, so that only the student has to find another way.
  const { school, teacher } = await open({}, () => drop(100));
  await teacher.page.waitForTimeout(5_000);
  drop(0);
  const times = [];
  for (let number = 1; number <= drops; number += 1) {
    const person = await enterBy(school, number);
    await untilHeard(person.page);
    await person.page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), LESSON_MS);
    times.push(await gapAfter(person.page, () => drop(100)));
    drop(0);
    await person.close();
  }
  note(name, times);
  await school.close();
}

/** From Wi-Fi to mobile data and back: the address of everything the student has open is gone. */
async function movesOfAddress(name) {
  const { school, teacher } = await open({});
  const student = await enter(school, 1);
  await untilHeard(student.page);
  const people = teacher.page.getByRole('tab', { name: new RegExp(teacher.t('people.title').slice(0, 6)) }).first();
  const [times, before] = [[], await people.innerText()];
  let leaves = 0;
  for (let move = 0; move < moves; move += 1) {
    times.push(await gapAfter(student.page, () => far.move(2 + ((move + 1) % 100))));
    if ((await people.innerText()) !== before) leaves += 1;
  }
  note(name, times);
  figures[`${name}.leaves_seen`] = leaves;
  await school.close();
}

try {
  if (joins > 0) await joinsWithoutUdp('network.join_without_udp', {}, enter, loseOnCable);
  if (joins > 0) await joinsWithoutUdp('network.join_without_udp_https', { https: true }, enter, loseOnCable);
  if (joins > 0) await joinsWithoutUdp('network.join_without_udp_firefox', {}, enterByFirefox, lose);
  if (drops > 0) await dropsOfUdp('network.udp_dropped_chromium', enter, loseOnCable);
  if (drops > 0) await dropsOfUdp('network.udp_dropped_firefox', enterByFirefox, lose);
  if (moves > 0) await movesOfAddress('network.address_changed');
} finally {
  await Promise.all([near.close(), away.close(), fox.close()]);
  far.close();
}
writeFigures('network', figures);
