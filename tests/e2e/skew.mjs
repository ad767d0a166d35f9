// How far the teacher's picture and voice are apart where a student sees and hears them, while the picture changes its size again and again: real
// Chromium at the far end of a cable between two network namespaces with a round trip of 100 ms, a camera that flashes when the microphone
// beeps. The student's window is made small and large, so that the app wants another layer each time; before and after that it stands still for a
// while, which tells what the browser itself adds. `node skew.mjs [--switches 20] [--calm 20]`;
// needs root, iproute2 and python3. Writes target/bench/skew.json. A measurement, not a test: see benches/README.md.
import { parseArgs } from 'node:util';
import { enterNamespace, openFarSchool, writeFigures } from './support/bench.mjs';
import { LAPTOP } from './support/browser.mjs';
import { distances, EVERY_MS, flashAndBeep, noticeFlashes, takeFlashes } from './support/flash.mjs';
import { eventually } from './support/identity.mjs';
import { Person } from './support/person.mjs';

const { values } = parseArgs({
  options: { switches: { type: 'string', default: '20' }, calm: { type: 'string', default: '20' } },
});
const [switches, calm] = [values.switches, values.calm].map(Number);
const SMALL = { width: 320, height: 640 };
/** A switch waits for a key frame; what is out of step is so until the next report, a second later at most. */
const WATCHED_MS = 4 * EVERY_MS;
/** The browser's own buffers find their length. */
const SETTLE_MS = 30_000;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

enterNamespace();

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const tenths = (number) => Number(number.toFixed(1));

/** The one whose picture and voice are measured, and the one who does. */
async function enter({ near, away, school }) {
  const teacher = await Person.open(near, school, { login: 'teacher1', language: 'fr' });
  await teacher.context.addInitScript(flashAndBeep, { everyMs: EVERY_MS });
  await teacher.signIn();
  await teacher.enterLesson();
  await teacher.turnCameraOn();
  const student = await Person.open(away, school, {
    login: 'student1',
    language: 'fr',
    device: LAPTOP,
    bypassCSP: true,
  });
  await student.signIn();
  await student.enterLesson({ listenOnly: true });
  return student.page;
}

const place = await openFarSchool({ slow: true });
const figures = {};
try {
  place.far.be({ delay_ms: 50 });
  const page = await enter(place);
  await noticeFlashes(page);
  const all = { beeps: [], flashes: [], sizes: [] };
  const watch = async (ms) => {
    await wait(ms);
    const some = await takeFlashes(page);
    for (const key of Object.keys(all)) all[key].push(...some[key]);
    return some;
  };
  await eventually(
    'the largest picture is there',
    async () => (await watch(500)).flashes.length > 0 && all.sizes.at(-1)?.to === 1_280,
  );
  await watch(SETTLE_MS);
  const still = distances(await watch(calm * 1_000)).pairs;
  const [moved, sizes] = [[], []];
  let [last, alone] = [still.at(-1), 0];
  for (let turn = 1; turn <= switches; turn += 1) {
    await page.setViewportSize(turn % 2 === 1 ? SMALL : LAPTOP.viewport);
    const some = await watch(WATCHED_MS);
    const { pairs, alone: more } = distances(some);
    moved.push({ pairs, jump: Math.max(...pairs.map((pair) => Math.abs(pair - last))) });
    sizes.push(...some.sizes);
    alone += more;
    last = pairs.at(-1) ?? last;
    console.log(
      `${turn}:`,
      some.sizes.map(({ from, to }) => `${from} → ${to}`).join(', '),
      pairs.map(Math.round).join(' '),
    );
  }
  still.push(...distances(await watch(calm * 1_000)).pairs);
  // What the browser itself puts between the two, and this way to listen.
  const own = median(still);
  const off = (pairs) => pairs.map((pair) => Math.abs(pair - own)).sort((a, b) => a - b);
  const apart = off(moved.flatMap(({ pairs }) => pairs));
  Object.assign(figures, {
    'skew.switches': sizes.length,
    'skew.flashes': apart.length,
    'skew.unpaired': alone,
    'skew.browser_ms': tenths(own),
    'skew.still_max_ms': tenths(off(still).at(-1)),
    'skew.p50_ms': tenths(median(apart)),
    'skew.p95_ms': tenths(apart[Math.floor(apart.length * 0.95)]),
    'skew.max_ms': tenths(apart.at(-1)),
    'skew.jump_max_ms': tenths(Math.max(...moved.map(({ jump }) => jump))),
  });
} finally {
  await place.close();
}
writeFigures('skew', figures);
