// How much of the teacher's voice a student misses whose own link loses packets both ways: real Chromium at the far end of a cable between two
// network namespaces, a round trip of 100 ms, continuous sound, the share of samples that the browser made up. `node voice.mjs [--loss 10,20,30]
// [--seconds 60] [--delay 50]`; needs root, iproute2 and python3. Writes target/bench/voice.json. A measurement, not a test: see benches/README.md.
import { parseArgs } from 'node:util';
import { enterFarLesson, enterNamespace, openFarSchool, writeFigures } from './support/bench.mjs';

const { values } = parseArgs({
  options: {
    loss: { type: 'string', default: '0,10,20,30' },
    seconds: { type: 'string', default: '60' },
    delay: { type: 'string', default: '50' },
  },
});
const losses = values.loss.split(',').map(Number);
const [seconds, delay] = [Number(values.seconds), Number(values.delay)];
const SETTLE_MS = 5_000;

enterNamespace();

/** The voices that came to a page so far, summed up. */
function heard(page) {
  return page.evaluate(async () => {
    const sum = { total: 0, concealed: 0, packets: 0, lost: 0, pictures: 0 };
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        if (report.kind === 'video') sum.pictures += report.framesDecoded ?? 0;
        if (report.kind !== 'audio' || !report.packetsReceived) continue;
        sum.total += report.totalSamplesReceived;
        sum.concealed += report.concealedSamples - report.silentConcealedSamples;
        sum.packets += report.packetsReceived;
        sum.lost += report.packetsLost;
      }
    }
    return sum;
  });
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const place = await openFarSchool({ slow: true });
const figures = { 'voice.seconds': seconds, 'voice.round_trip_ms': 2 * delay };
try {
  const { student } = await enterFarLesson(place);
  for (const loss of losses) {
    place.far.be({ delay_ms: delay, loss_percent: loss });
    await wait(SETTLE_MS);
    const before = await heard(student.page);
    await wait(seconds * 1000);
    const after = await heard(student.page);
    const grown = (key) => after[key] - before[key];
    const concealed = (100 * grown('concealed')) / grown('total');
    console.log(
      `${loss} %: concealed ${concealed.toFixed(2)} % of ${(grown('total') / 48_000).toFixed(0)} s, ${grown('lost')} of ${grown('lost') + grown('packets')} packets lost, ${grown('pictures')} pictures`,
    );
    figures[`voice.concealed_percent.${loss}`] = Number(concealed.toFixed(2));
  }
} finally {
  await place.close();
}
writeFigures('voice', figures);
