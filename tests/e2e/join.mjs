// How long a student takes to hear the teacher on a bad link: real Chromium at the far end of a cable between two network namespaces that loses UDP
// datagrams both ways, or that is slow. `node join.mjs [--loss 30] [--joins 20] [--trip 800] [--slow 8]`: 20 joins at 30 % loss, then 8 of phones and 8 of laptops at a
// round trip of 800 ms. Needs root, nftables, iproute2 and python3. Writes target/bench/join.json. A measurement, not a test: see benches/README.md.
import { parseArgs } from 'node:util';
import { enterNamespace, openFarSchool, writeFigures } from './support/bench.mjs';
import { LAPTOP, PHONE } from './support/browser.mjs';
import { loseOnCable } from './support/network.mjs';
import { Person } from './support/person.mjs';
import { stopwatch, untilHeard } from './support/stopwatch.mjs';

const text = (of) => ({ type: 'string', default: of });
const { values } = parseArgs({ options: { loss: text('30'), joins: text('20'), trip: text('800'), slow: text('8') } });
const [loss, joins, trip, slow] = [values.loss, values.joins, values.trip, values.slow].map(Number);
const PATIENCE_MS = 30_000;
/** Nobody taps at once where devices are looked at first. */
const LOOK_MS = 4_000;

enterNamespace();

const place = await openFarSchool({ slow: true });
const figures = {};
let number = 0;

/** One more student comes in, listens and goes; milliseconds from the tap to the voice. */
async function join(device = LAPTOP) {
  number += 1;
  const person = await Person.open(place.away, place.school, { login: `student${number}`, language: 'fr', device });
  await person.context.addInitScript(stopwatch);
  await person.signIn();
  await person.enterLesson({ listenOnly: true, lookMs: LOOK_MS });
  // One that does not come at all is a figure too, but no time.
  const took = await untilHeard(person.page, PATIENCE_MS);
  await person.context.close();
  return took;
}

async function measure(name, count, device) {
  const took = [];
  for (let turn = 1; turn <= count; turn += 1) {
    const ms = await join(device);
    if (ms !== undefined) took.push(ms);
    console.log(`${name} ${turn}: ${ms === undefined ? `not within ${PATIENCE_MS} ms` : `${ms} ms`}`);
  }
  took.sort((a, b) => a - b);
  const quantile = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))];
  Object.assign(figures, { [`${name}.joins`]: count, [`${name}.failed`]: count - took.length });
  // Of those that came: nothing to say of none.
  if (took.length > 0)
    Object.assign(figures, {
      [`${name}.p50_ms`]: quantile(0.5),
      [`${name}.p95_ms`]: quantile(0.95),
      [`${name}.max_ms`]: took.at(-1),
    });
}

try {
  const teacher = await Person.open(place.near, place.school, { login: 'teacher1', language: 'fr' });
  await teacher.signIn();
  await teacher.enterLesson();
  // One on a good link: the teacher is on the air.
  console.log(`without loss: ${await join()} ms`);
  if (joins > 0) {
    loseOnCable(loss);
    figures['join.loss_percent'] = loss;
    await measure('join', joins);
    loseOnCable(0);
  }
  if (slow > 0) {
    place.far.be({ delay_ms: trip / 2 });
    figures['join.slow.round_trip_ms'] = trip;
    await measure('join.slow', slow, PHONE);
    await measure('join.slow_laptop', slow, LAPTOP);
  }
} finally {
  await place.close();
}
writeFigures('join', figures);
