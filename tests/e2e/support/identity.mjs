// Who is seen and who is heard: each participant sends its own color and its own tone; a receiver reads the color from
// pixels of the <video> elements on its page and the tones from what its playing <audio> elements decode.

/** Runs in a page before any script: getUserMedia yields a picture of one hue and one steady tone, or with `hz` null the device's own sound. */
export function impersonate({ hue, hz }) {
  if (!navigator.mediaDevices) return; // an empty page before the first one
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted = {}) => {
    window.captures = (window.captures ?? 0) + 1;
    const real = await original(wanted); // a denied permission stays denied
    const out = new MediaStream();
    if (wanted.video) {
      const [width, height] = [1280, 720];
      const canvas = Object.assign(document.createElement('canvas'), { width, height });
      const brush = canvas.getContext('2d');
      let step = 0;
      const draw = () => {
        brush.fillStyle = `hsl(${hue} 100% 50%)`;
        brush.fillRect(0, 0, width, height);
        brush.fillStyle = '#fff';
        brush.fillRect((step = (step + 9) % width), height - 40, 30, 30);
      };
      draw();
      const timer = setInterval(draw, 66);
      const track = canvas.captureStream(15).getVideoTracks()[0];
      const stop = track.stop.bind(track);
      track.stop = () => {
        clearInterval(timer);
        stop();
      };
      out.addTrack(track);
    }
    if (wanted.audio && hz === null) for (const track of real.getAudioTracks()) out.addTrack(track);
    else if (wanted.audio) {
      const context = new AudioContext({ sampleRate: 48000 });
      const tone = context.createOscillator();
      const volume = context.createGain();
      const sink = context.createMediaStreamDestination();
      volume.gain.value = 0.3;
      tone.frequency.value = hz;
      tone.connect(volume).connect(sink);
      tone.start();
      out.addTrack(sink.stream.getAudioTracks()[0]);
    }
    for (const track of real.getTracks()) if (!out.getTracks().includes(track)) track.stop();
    return out;
  };
}

/** In the receiving page: the hues of all videos that show a picture, read from real pixels. */
export function huesOnPage(page) {
  return page.evaluate(() => {
    const hue = ([r, g, b]) => {
      const max = Math.max(r, g, b),
        min = Math.min(r, g, b),
        d = max - min;
      if (d < 40) return null;
      const h = max === r ? ((g - b) / d) % 6 : max === g ? (b - r) / d + 2 : (r - g) / d + 4;
      return Math.round((h * 60 + 360) % 360);
    };
    return [...document.querySelectorAll('video')]
      .filter((v) => v.videoWidth > 0 && v.offsetWidth > 0)
      .map((v) => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 16 });
        const brush = canvas.getContext('2d');
        brush.drawImage(v, 0, 0, 16, 16);
        return hue(brush.getImageData(8, 5, 1, 1).data);
      })
      .filter((h) => h !== null);
  });
}

/** True when a picture of that hue is on the page. */
export async function sees(page, hue) {
  return (await huesOnPage(page)).some((h) => Math.min(Math.abs(h - hue), 360 - Math.abs(h - hue)) < 15);
}

/** In the receiving page: loudness (dB) at a frequency over everything that its audio elements play, listening 0.7 s. */
export function loudnessAt(page, hz) {
  return page.evaluate(async (hz) => {
    const context = new AudioContext({ sampleRate: 48000 });
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    analyser.smoothingTimeConstant = 0;
    for (const element of document.querySelectorAll('audio, video')) {
      const stream = element.srcObject;
      if (!stream || element.paused || element.muted || !stream.getAudioTracks().length) continue;
      context.createMediaStreamSource(stream).connect(analyser);
    }
    await new Promise((done) => setTimeout(done, 700));
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const at = Math.round((hz * analyser.fftSize) / 48000);
    await context.close();
    return Math.max(...bins.slice(at - 2, at + 3));
  }, hz);
}

/** True when the tone stands out of the silence. */
export async function hears(page, hz) {
  return (await loudnessAt(page, hz)) > -50;
}

/** Runs in the page: as `loudnessAt`, recorded and decoded, for pages whose AudioContext may not run. */
async function recordedLoudness(hz) {
  const played = [...document.querySelectorAll('audio, video')].filter(
    (element) => element.srcObject?.getAudioTracks().some((track) => !track.muted) && !element.paused && !element.muted,
  );
  const powers = await Promise.all(
    played.map(async (element) => {
      const pieces = [];
      const recorder = new MediaRecorder(new MediaStream(element.srcObject.getAudioTracks()));
      recorder.ondataavailable = ({ data }) => pieces.push(data);
      const stopped = new Promise((done) => {
        recorder.onstop = done;
      });
      const from = element.currentTime;
      recorder.start();
      await new Promise((done) => setTimeout(done, 700));
      recorder.stop();
      await stopped;
      if (element.currentTime === from) return 0;
      const sound = await new OfflineAudioContext(1, 48_000, 48_000).decodeAudioData(
        await new Blob(pieces).arrayBuffer(),
      );
      const samples = sound.getChannelData(0);
      let [sine, cosine] = [0, 0];
      samples.forEach((sample, i) => {
        sine += sample * Math.sin((2 * Math.PI * hz * i) / sound.sampleRate);
        cosine += sample * Math.cos((2 * Math.PI * hz * i) / sound.sampleRate);
      });
      return (4 * (sine * sine + cosine * cosine)) / (samples.length * samples.length);
    }),
  );
  return 10 * Math.log10(Math.max(1e-12, ...powers));
}

/** True when the tone stands out of the silence, without an AudioContext in the page. */
export async function hearsRecorded(page, hz) {
  return (await page.evaluate(recordedLoudness, hz)) > -50;
}

/** Repeats a check until it holds; fails with `what` after `ms`. */
export async function eventually(what, check, ms = 30_000) {
  const end = Date.now() + ms;
  let last;
  do {
    try {
      if (await check()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, 150));
  } while (Date.now() < end);
  throw new Error(`not within ${ms} ms: ${what}${last ? ` (${last.message})` : ''}`);
}

/** Fails as soon as the check holds within `ms`. */
export async function never(what, check, ms = 3_000) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await check()) throw new Error(`happened: ${what}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}
