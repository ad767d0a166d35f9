// What a student with a narrow or broken link hears and sees: real Chromium at the far end of a cable between two network namespaces, continuous
// voice, camera and a shared screen that changes twice a second. Three scenes: black-outs of 500 ms every 10 s; 250 kbit/s for half a minute; 100 kbit/s
// for good, the screen shared when it is that narrow already. `node link.mjs [--scenes blackout,step,steady] [--seconds 60]`; needs root, iproute2
// and python3. The round trip is 100 ms, the queue of the narrow link 300 ms. Adds to target/bench/voice.json. A measurement, not a test: see benches/README.md.
import { parseArgs } from 'node:util';
import { addFigures, enterFarLesson, enterNamespace, openFarSchool } from './support/bench.mjs';
import { watchGaps } from './support/gaps.mjs';
import { FILM, SLIDE } from './support/slides.mjs';

const { values } = parseArgs({
  options: { scenes: { type: 'string', default: 'blackout,step,steady' }, seconds: { type: 'string', default: '60' } },
});
const scenes = values.scenes.split(',');
const seconds = Number(values.seconds);
/** The slot of the teacher's voice: what a shared screen sounds like is another one. */
const VOICE = '0';
/** How often the page is asked. */
const GLANCE_MS = 100;
const DELAY = { delay_ms: 50 };
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

enterNamespace();

/** What came to the page so far. */
function received(page) {
  return page.evaluate(async (voice) => {
    const sum = { at: performance.now(), total: 0, concealed: 0, silent: 0, bytes: 0, frames: {} };
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        if (report.kind === 'video') {
          sum.bytes += report.bytesReceived;
          sum.frames[report.mid] = report.framesDecoded ?? 0;
        } else if (report.mid === voice && report.packetsReceived) {
          sum.total += report.totalSamplesReceived;
          sum.concealed += report.concealedSamples - report.silentConcealedSamples;
          sum.silent += report.silentConcealedSamples;
        }
      }
    }
    return sum;
  }, VOICE);
}

/** Glances at a page for a while. */
async function watch(page, ms) {
  const glances = [await received(page)];
  const end = Date.now() + ms;
  while (Date.now() < end) {
    await wait(GLANCE_MS);
    glances.push(await received(page));
  }
  return glances;
}

/** Percent of the samples that the browser made up. */
function concealed(glances) {
  const [first, last] = [glances[0], glances.at(-1)];
  return Number(((100 * (last.concealed - first.concealed)) / Math.max(1, last.total - first.total)).toFixed(2));
}

/** The browser counts them at this rate, whatever it plays at. */
const SAMPLES_PER_MS = 48;

/**
 * No time without the voice was longer, in ms: what was made up in glances on end, be it as silence. The first and the last of them, of
 * which a part was made up, count with that part; where it does not adjoin the rest, this is too much and never too little.
 */
function longestMadeUp(glances) {
  let [longest, run] = [0, 0];
  for (let i = 1; i < glances.length; i += 1) {
    const [before, after] = [glances[i - 1], glances[i]];
    const made = after.concealed + after.silent - before.concealed - before.silent;
    const samples = after.total - before.total;
    longest = Math.max(longest, run + made);
    run = made < 0.9 * samples ? made : run + made;
  }
  return Math.round(longest / SAMPLES_PER_MS);
}

/** The longest silence that came out of the page since `quietly`, in steps of 2.7 ms. */
const quietest = async (page) => (await page.evaluate(() => window.gaps.told())).silence;
const quietly = (page) => page.evaluate(() => window.gaps.reset());

/** Bits per second of pictures between two glances. */
const rate = (before, after) => (8_000 * (after.bytes - before.bytes)) / (after.at - before.at);

/** Frames of the screen (the slot with mid 4) per second. */
const fps = (glances) =>
  (1_000 * ((glances.at(-1).frames['4'] ?? 0) - (glances[0].frames['4'] ?? 0))) / (glances.at(-1).at - glances[0].at);

/** Seconds until two seconds in a row carry 80 % of a rate again; none: it did not. */
function backAfter(glances, wanted) {
  const found = glances.find((glance) => {
    const later = glances.find((it) => it.at >= glance.at + 2_000);
    return later && rate(glance, later) >= 0.8 * wanted;
  });
  return found ? Number(((found.at - glances[0].at) / 1_000).toFixed(1)) : null;
}

const place = await openFarSchool({ slow: true });
const { far } = place;
const figures = {};
try {
  const { teacher, student } = await enterFarLesson(place, { bypassCSP: true });
  await watchGaps(student.page);
  far.be(DELAY);
  const slides = await teacher.context.newPage();
  await slides.setViewportSize({ width: 1280, height: 720 });
  await slides.setContent(SLIDE);
  await teacher.page.bringToFront();

  if (scenes.includes('blackout')) {
    const cuts = setInterval(() => {
      far.be({ ...DELAY, loss_percent: 100 });
      setTimeout(() => far.be(DELAY), 500);
    }, 10_000);
    await wait(5_000);
    const glances = await watch(student.page, seconds * 1000);
    clearInterval(cuts);
    await wait(600);
    figures['voice.concealed_percent.blackout'] = concealed(glances);
    console.log('black-outs', figures);
  }
  if (scenes.includes('step')) {
    await slides.evaluate(FILM);
    await teacher.button('bar.screenOn').click();
    await wait(15_000);
    const wide = await watch(student.page, 5_000);
    const wanted = rate(wide[0], wide.at(-1));
    figures['voice.step.wide_screen_fps'] = Number(fps(wide).toFixed(1));
    await quietly(student.page);
    far.be({ ...DELAY, kbps: 250 });
    const narrow = await watch(student.page, 30_000);
    far.be(DELAY);
    const after = await watch(student.page, 20_000);
    figures['voice.step.wide_kbps'] = Math.round(wanted / 1_000);
    figures['voice.step.longest_silence_ms'] = await quietest(student.page);
    figures['voice.step.longest_made_up_ms'] = longestMadeUp([...narrow, ...after]);
    figures['voice.step.concealed_percent'] = concealed(narrow);
    figures['voice.step.pictures_back_s'] = backAfter(after, wanted);
    console.log('step', figures);
    await teacher.button('bar.screenOff').click();
    await slides.setContent(SLIDE);
    await teacher.page.bringToFront();
  }
  if (scenes.includes('steady')) {
    far.be({ ...DELAY, kbps: 100 });
    await wait(10_000);
    const before = (await received(student.page)).frames;
    const shared = Date.now();
    await teacher.button('bar.screenOn').click();
    // The browser counts anew when a slot begins anew.
    const grown = (frames) =>
      (frames['4'] ?? 0) < (before['4'] ?? 0) ? (frames['4'] ?? 0) : (frames['4'] ?? 0) - (before['4'] ?? 0);
    let first = null;
    while (first === null && Date.now() < shared + 60_000) {
      await wait(GLANCE_MS);
      if (grown((await received(student.page)).frames) > 0) first = (Date.now() - shared) / 1_000;
    }
    await quietly(student.page);
    const glances = await watch(student.page, seconds * 1000);
    const blank = [];
    for (let at = 0; at + 10 < glances.length; at += 10)
      blank.push(grown(glances[at + 10].frames) === grown(glances[at].frames));
    figures['voice.steady.first_screen_s'] = first === null ? null : Number(first.toFixed(1));
    figures['voice.steady.seconds_without_a_frame_percent'] = Math.round(
      (100 * blank.filter(Boolean).length) / Math.max(1, blank.length),
    );
    const frames = glances.map(({ frames }) => grown(frames));
    const news = glances.filter((_, at) => at === 0 || frames[at] !== frames[at - 1]).map(({ at }) => at);
    const gaps = [...news.slice(1), glances.at(-1).at].map((at, index) => at - news[index]);
    figures['voice.steady.frames_per_s'] = Number(((frames.at(-1) - frames[0]) / seconds).toFixed(2));
    figures['voice.steady.longest_without_a_frame_s'] = Number((Math.max(...gaps) / 1_000).toFixed(1));
    figures['voice.steady.longest_silence_ms'] = await quietest(student.page);
    figures['voice.steady.longest_made_up_ms'] = longestMadeUp(glances);
    figures['voice.steady.concealed_percent'] = concealed(glances);
  }
} finally {
  await place.close();
}
addFigures('voice', figures);
