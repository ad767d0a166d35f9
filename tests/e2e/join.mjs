// How long a student takes to hear the teacher when the link loses datagrams both ways: real Chromium, the real server, a network namespace
// of its own in which the kernel drops UDP at random. `node join.mjs [--loss 30] [--joins 20]`; needs root, nftables and iproute2.
// Writes target/bench/join.json. A measurement, not a test: see benches/README.md.
import { parseArgs } from 'node:util';
import { enterNamespace, writeFigures } from './support/bench.mjs';
import { launch } from './support/browser.mjs';
import { lose, openCable } from './support/network.mjs';
import { Person } from './support/person.mjs';
import { openSchool } from './support/school.mjs';
import { stopwatch, untilHeard } from './support/stopwatch.mjs';

const { values } = parseArgs({ options: { loss: { type: 'string', default: '30' }, joins: { type: 'string', default: '20' } } });
const [loss, joins] = [Number(values.loss), Number(values.joins)];

enterNamespace();

const PATIENCE_MS = 30_000;

async function student(browser, school, number) {
  const person = await Person.open(browser, school, { login: `student${number}`, language: 'fr' });
  await person.context.addInitScript(stopwatch);
  await person.signIn();
  await person.enterLesson({ listenOnly: true });
  // One that does not come at all is a figure too, but no time.
  const took = await untilHeard(person.page, PATIENCE_MS);
  await person.context.close();
  return took;
}

openCable();
const school = await openSchool();
const browser = await launch();
const took = [];
try {
  const teacher = await Person.open(browser, school, { login: 'teacher1', language: 'fr' });
  await teacher.signIn();
  await teacher.enterLesson();
  // One without losses: the teacher is on the air.
  console.log(`without loss: ${await student(browser, school, joins + 1)} ms`);
  lose(loss);
  for (let number = 1; number <= joins; number += 1) {
    const ms = await student(browser, school, number);
    if (ms !== undefined) took.push(ms);
    console.log(`join ${number}: ${ms === undefined ? `not within ${PATIENCE_MS} ms` : `${ms} ms`}`);
  }
} finally {
  await browser.close();
  await school.close();
}
took.sort((a, b) => a - b);
const quantile = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))];
const figures = { 'join.loss_percent': loss, 'join.joins': joins, 'join.failed': joins - took.length };
// Of those that came: nothing to say of none.
if (took.length > 0) Object.assign(figures, { 'join.p50_ms': quantile(0.5), 'join.p95_ms': quantile(0.95), 'join.max_ms': took.at(-1) });
writeFigures('join', figures);
