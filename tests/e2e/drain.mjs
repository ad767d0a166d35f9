// How much of the voice and the picture a class misses when its server is ended and started again, as in a rolling upgrade: real Chromium behind
// HAProxy, three servers, the one that has the lesson is ended each time. `node drain.mjs [--rounds 5] [--students 3]`. Writes
// target/bench/drain.json. A measurement, not a test: see benches/README.md.
import { parseArgs } from 'node:util';
import { writeFigures } from './support/bench.mjs';
import { launch } from './support/browser.mjs';
import { followNode, openCluster } from './support/cluster.mjs';
import { gapsDuring, watchGaps } from './support/gaps.mjs';
import { eventually, hears, sees } from './support/identity.mjs';
import { Person } from './support/person.mjs';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, students: { type: 'string', default: '3' } },
});
const [rounds, students] = [Number(values.rounds), Number(values.students)];
const HZ = 440;
const HUE = 120;

const cluster = await openCluster();
const [near, away] = await Promise.all([launch(), launch()]);
const [silences, blanks, endings] = [[], [], []];
let noticed = 0;
try {
  const teacher = await Person.open(near, cluster, { login: 'teacher1', language: 'fr', hue: HUE, hz: HZ });
  const node = followNode(teacher.page);
  await teacher.signIn();
  await teacher.enterLesson();
  await teacher.turnCameraOn();
  const pages = [];
  for (let number = 1; number <= students; number++) {
    const student = await Person.open(away, cluster, { login: `student${number}`, language: 'fr', bypassCSP: true });
    await student.signIn();
    await student.enterLesson({ listenOnly: true });
    await eventually('the student hears', () => hears(student.page, HZ));
    await eventually('the student sees', () => sees(student.page, HUE));
    await watchGaps(student.page, {
      hue: HUE,
      words: [student.t('connection.reconnectingHint'), student.t('people.cutNow')],
    });
    pages.push(student.page);
  }
  for (let round = 0; round < rounds; round++) {
    const from = node();
    const { took, gaps } = await gapsDuring(pages, () => cluster.stop(from));
    if (node() === from) throw new Error('the lesson has not moved');
    endings.push(took);
    for (const { silence, blank, words } of gaps) {
      silences.push(silence);
      blanks.push(blank);
      noticed += words.length;
    }
    console.log(
      `node${from} ended after ${took} ms; silences ${gaps.map(({ silence }) => silence).join(' ')} ms, blanks ${gaps.map(({ blank }) => blank).join(' ')} ms`,
    );
    await cluster.start(from);
  }
} finally {
  await near.close();
  await away.close();
  await cluster.close();
}

const quantile = (times, share) =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))];
const figures = { 'drain.moves': silences.length, 'drain.noticed': noticed };
for (const [name, times] of [
  ['voice_gap', silences],
  ['picture_gap', blanks],
  ['ended', endings],
]) {
  figures[`drain.${name}_p50_ms`] = quantile(times, 0.5);
  figures[`drain.${name}_p95_ms`] = quantile(times, 0.95);
  figures[`drain.${name}_max_ms`] = quantile(times, 1);
}
writeFigures('drain', figures);
