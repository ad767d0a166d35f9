// What an hour of voice costs a student who saves data: real Chromium at the far end of a cable between two network namespaces, speech without
// a pause, every byte on the cable as its interface counts it, then the same while it loses packets both ways. `node saver.mjs [--seconds 60]
// [--loss 0,20]`; needs root, nftables, iproute2 and python3.
// Writes target/bench/saver.json. A measurement, not a test: see benches/README.md.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { enterNamespace, openFarSchool, writeFigures } from './support/bench.mjs';
import { PHONE } from './support/browser.mjs';
import { keepConnections } from './support/connections.mjs';
import { eventually } from './support/identity.mjs';
import { Person } from './support/person.mjs';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, loss: { type: 'string', default: '0,20' } },
});
const seconds = Number(values.seconds);
const losses = values.loss.split(',').map(Number);
/** One way, where packets are lost. */
const DELAY_MS = 50;
const SETTLE_MS = 8_000;
/** The interface counts the frames of Ethernet, which no mobile network has. */
const ETHERNET = 14;

enterNamespace();

/** Runs in the page before any script: a microphone that speaks, vowel after vowel, without a pause. */
function speakWithoutPause() {
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (!wanted.audio) return original(wanted);
    const context = new AudioContext();
    const out = context.createMediaStreamDestination();
    const voice = new OscillatorNode(context, { type: 'sawtooth', frequency: 130 });
    const breath = new AudioBufferSourceNode(context, { loop: true, buffer: context.createBuffer(1, 48_000, 48_000) });
    breath.buffer.getChannelData(0).forEach((_, at, samples) => {
      samples[at] = Math.random() * 0.1 - 0.05;
    });
    const formants = [700, 1_200, 2_600].map(
      (frequency) => new BiquadFilterNode(context, { type: 'bandpass', Q: 9, frequency }),
    );
    for (const formant of formants) {
      voice.connect(formant);
      breath.connect(formant);
      formant.connect(new GainNode(context, { gain: 0.5 })).connect(out);
    }
    const vowels = [
      [700, 1_200, 2_600],
      [300, 2_300, 3_000],
      [320, 800, 2_300],
      [500, 1_900, 2_500],
      [480, 1_000, 2_400],
    ];
    setInterval(() => {
      const vowel = vowels[Math.floor(Math.random() * vowels.length)];
      formants.forEach((formant, at) => formant.frequency.setTargetAtTime(vowel[at], context.currentTime, 0.02));
      voice.frequency.setTargetAtTime(100 + Math.random() * 90, context.currentTime, 0.03);
    }, 130);
    voice.start();
    breath.start();
    await context.resume();
    const stream = wanted.video ? await original({ video: wanted.video }) : new MediaStream();
    stream.addTrack(out.stream.getAudioTracks()[0]);
    return stream;
  };
}

/** Bytes and packets that the cable carried, both ways, and what the student's browser says of its voices. */
async function carried(page) {
  const line = readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .find((each) => each.trim().startsWith('cable:'));
  const [received, arrived, , , , , , , sent, left] = line.split(':')[1].trim().split(/\s+/).map(Number);
  const packets = arrived + left;
  const stats = await page.evaluate(async () => {
    const sum = { packets: 0, bytes: 0, concealed: 0, total: 0 };
    for (const connection of window.connections)
      for (const report of (await connection.getStats()).values())
        if (report.type === 'inbound-rtp' && report.kind === 'audio' && report.packetsReceived) {
          sum.packets += report.packetsReceived;
          sum.bytes += report.bytesReceived;
          sum.concealed += report.concealedSamples - report.silentConcealedSamples;
          sum.total += report.totalSamplesReceived;
        }
    return sum;
  });
  return { bytes: received + sent - ETHERNET * packets, packets, up: arrived, voice: stats };
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const { far, school, near, away, close } = await openFarSchool({ slow: true });
const figures = { 'saver.seconds': seconds };
try {
  const teacher = await Person.open(near, school, { login: 'teacher1', language: 'fr' });
  await teacher.context.addInitScript(speakWithoutPause);
  await teacher.signIn();
  await teacher.enterLesson();
  const student = await Person.open(away, school, { login: 'student1', language: 'fr', device: PHONE });
  await student.context.addInitScript(keepConnections);
  await student.context.addInitScript(() => localStorage.setItem('qism.receive', 'voice'));
  await student.signIn();
  await student.enterLesson({ listenOnly: true });
  await eventually('the student hears', async () => (await carried(student.page)).voice.packets > 50);
  for (const loss of losses) {
    far.be(loss > 0 ? { delay_ms: DELAY_MS, loss_percent: loss } : {});
    const suffix = loss > 0 ? `.${loss}` : '';
    await wait(SETTLE_MS);
    const before = await carried(student.page);
    await wait(seconds * 1_000);
    const after = await carried(student.page);
    const perHour = (bytes) => Number(((bytes * 3_600) / seconds / 1e6).toFixed(2));
    const voice = (key) => after.voice[key] - before.voice[key];
    figures[`saver.mb_per_hour${suffix}`] = perHour(after.bytes - before.bytes);
    figures[`saver.voice_packets_per_s${suffix}`] = Number((voice('packets') / seconds).toFixed(1));
    figures[`saver.opus_kbit_s${suffix}`] = Number(((voice('bytes') * 8) / seconds / 1_000).toFixed(2));
    figures[`saver.other_packets_per_s${suffix}`] = Number(
      ((after.packets - before.packets - voice('packets')) / seconds).toFixed(1),
    );
    figures[`saver.sent_packets_per_s${suffix}`] = Number(((after.up - before.up) / seconds).toFixed(1));
    figures[`saver.concealed_percent${suffix}`] = Number(((100 * voice('concealed')) / voice('total')).toFixed(2));
  }
} finally {
  await close();
}
writeFigures('saver', figures);
