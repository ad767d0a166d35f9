// A camera that flashes white in the moment in which the microphone beeps, and how far apart the two are where they are seen and heard.

/** From one flash to the next, in ms: what is more than half of it out of step cannot be told. */
export const EVERY_MS = 1_000;

/** Runs in a page before any script: camera and microphone begin each second with a flash and a beep. */
export function flashAndBeep({ everyMs }) {
  if (!navigator.mediaDevices) return; // an empty page before the first one
  const context = new AudioContext({ sampleRate: 48_000 });
  const sink = context.createMediaStreamDestination();
  // A voice that goes on: what begins out of silence could be told from nothing else.
  const hum = new OscillatorNode(context, { frequency: 200 });
  hum.connect(new GainNode(context, { gain: 0.05 })).connect(sink);
  const tone = new OscillatorNode(context, { frequency: 1_000 });
  const loud = new GainNode(context, { gain: 0 });
  tone.connect(loud).connect(sink);
  hum.start();
  tone.start();
  const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
  const brush = canvas.getContext('2d');
  const camera = canvas.captureStream(0).getVideoTracks()[0];
  let [began, step] = [performance.now(), 0];
  setInterval(() => {
    const flash = performance.now() - began >= everyMs;
    if (flash) {
      began += everyMs;
      const now = context.currentTime;
      loud.gain.setValueAtTime(0.5, now);
      loud.gain.setValueAtTime(0, now + 0.1);
    }
    const bright = performance.now() - began < 200;
    brush.fillStyle = bright ? '#fff' : '#102030';
    brush.fillRect(0, 0, 1280, 720);
    // Something that moves, so that every layer has something to send.
    brush.fillStyle = bright ? '#ccc' : '#345';
    step += 1;
    for (let row = 0; row < 9; row += 1) brush.fillRect((step * 17 + row * 131) % 1280, row * 80, 60, 20);
    camera.requestFrame();
  }, 1_000 / 24);
  navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
    await context.resume();
    return new MediaStream(
      [...(audio ? sink.stream.getAudioTracks() : []), ...(video ? [camera] : [])].map((track) => track.clone()),
    );
  };
}

/** Runs in the page of who sees and hears: notes the moments from now on, and each change of the picture's size. */
async function notice() {
  const context = new AudioContext({ sampleRate: 48_000 });
  const worklet = `
    registerProcessor('beeps', class extends AudioWorkletProcessor {
      constructor() { super(); this.quiet = 0; }
      process([[channel]]) {
        for (let i = 0; channel && i < channel.length; i += 1) {
          if (Math.abs(channel[i]) < 0.2) { this.quiet += 1; continue; }
          if (this.quiet > 4_800) this.port.postMessage(currentTime + i / sampleRate);
          this.quiet = 0;
        }
        return true;
      }
    });`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' })));
  const ear = new AudioWorkletNode(context, 'beeps', { channelCount: 1, channelCountMode: 'explicit' });
  ear.connect(new GainNode(context, { gain: 0 })).connect(context.destination);
  const told = { beeps: [], flashes: [], sizes: [] };
  window.flashes = told;
  ear.port.onmessage = ({ data }) => {
    const { contextTime, performanceTime } = context.getOutputTimestamp();
    told.beeps.push(performanceTime + (data - contextTime) * 1_000);
  };
  const [ears, eyes] = [new Map(), new WeakSet()];
  const brush = Object.assign(document.createElement('canvas'), { width: 8, height: 8 }).getContext('2d', {
    willReadFrequently: true,
  });
  let [bright, width] = [false, 0];
  const look = (video) => (_, frame) => {
    if (video.isConnected) video.requestVideoFrameCallback(look(video));
    else eyes.delete(video);
    if (frame.width !== width) told.sizes.push({ at: frame.expectedDisplayTime, from: width, to: frame.width });
    width = frame.width;
    brush.drawImage(video, 0, 0, 8, 8);
    const [red] = brush.getImageData(4, 4, 1, 1).data;
    if (red > 150 && !bright) told.flashes.push(frame.expectedDisplayTime);
    bright = red > 150;
  };
  setInterval(() => {
    for (const { srcObject } of document.querySelectorAll('audio'))
      if (srcObject && !ears.has(srcObject)) {
        const source = context.createMediaStreamSource(srcObject);
        source.connect(ear);
        ears.set(srcObject, source);
      }
    for (const video of document.querySelectorAll('video'))
      if (video.readyState >= 2 && !eyes.has(video)) {
        eyes.add(video);
        video.requestVideoFrameCallback(look(video));
      }
  }, 50);
}

/** Begins to look and listen; the page must let an AudioContext run and scripts of ours in (`bypassCSP`). */
export const noticeFlashes = (page) => page.evaluate(notice);

/** What was seen and heard since the last question. */
export function takeFlashes(page) {
  return page.evaluate(() => {
    const { beeps, flashes, sizes } = window.flashes;
    return { beeps: beeps.splice(0), flashes: flashes.splice(0), sizes: sizes.splice(0) };
  });
}

/** By how many ms each flash was seen after its beep was heard; flashes without a beep, and beeps without a flash, are counted. */
export function distances({ beeps, flashes }) {
  const near = (at, others) =>
    others.reduce((best, other) => (Math.abs(other - at) < Math.abs(best - at) ? other : best), Infinity);
  const pairs = flashes.map((at) => at - near(at, beeps)).filter((distance) => Math.abs(distance) < EVERY_MS / 2);
  return { pairs, alone: Math.max(beeps.length, flashes.length) - pairs.length };
}
