// The longest time without somebody's voice and picture: what comes out of the page's audio elements, sample by sample, and what its
// videos show.

/**
 * Runs in the page, once somebody is heard there: listens and looks from now on. The page must let an AudioContext run and scripts of
 * ours in (`bypassCSP`). `window.gaps` says the longest silence and the longest time without the hue since `reset`, in milliseconds.
 */
async function watch({ hue, words }) {
  const context = new AudioContext({ sampleRate: 48_000 });
  const worklet = `
    registerProcessor('silence', class extends AudioWorkletProcessor {
      constructor() {
        super();
        this.run = this.longest = 0;
        this.port.onmessage = () => { this.run = this.longest = 0; };
      }
      process([[channel]]) {
        const power = channel ? channel.reduce((sum, sample) => sum + sample * sample, 0) / channel.length : 0;
        this.run = power > 1e-4 ? 0 : this.run + 1;
        if (this.run > this.longest) { this.longest = this.run; this.port.postMessage((this.longest * 128) / 48); }
        return true;
      }
    });`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' })));
  const meter = new AudioWorkletNode(context, 'silence', { channelCount: 1, channelCountMode: 'explicit' });
  const quiet = context.createGain();
  quiet.gain.value = 0;
  meter.connect(quiet).connect(context.destination);
  const gaps = { silence: 0, blank: 0, words: [] };
  meter.port.onmessage = ({ data }) => {
    gaps.silence = data;
  };
  const taps = new Map();
  let seen = performance.now();
  const brush = Object.assign(document.createElement('canvas'), { width: 16, height: 16 }).getContext('2d', {
    willReadFrequently: true,
  });
  const shows = (video) => {
    if (video.readyState < 2 || video.offsetWidth === 0 || Number(getComputedStyle(video).opacity) < 0.5) return false;
    brush.drawImage(video, 0, 0, 16, 16);
    const [r, g, b] = brush.getImageData(8, 5, 1, 1).data;
    const [max, min] = [Math.max(r, g, b), Math.min(r, g, b)];
    if (max - min < 40) return false;
    const h =
      max === r ? ((g - b) / (max - min)) % 6 : max === g ? (b - r) / (max - min) + 2 : (r - g) / (max - min) + 4;
    const off = Math.abs(((h * 60 + 360) % 360) - hue);
    return Math.min(off, 360 - off) < 20;
  };
  setInterval(() => {
    for (const element of document.querySelectorAll('audio')) {
      const stream = element.srcObject;
      if (!stream || taps.get(element)?.stream === stream) continue;
      taps.get(element)?.gain.disconnect();
      const gain = context.createGain();
      context.createMediaStreamSource(stream).connect(gain).connect(meter);
      taps.set(element, { stream, gain });
    }
    for (const [element, { gain }] of taps)
      gain.gain.value = element.isConnected && !element.muted && !element.paused ? 1 : 0;
    const now = performance.now();
    if (hue === null || [...document.querySelectorAll('video')].some(shows)) seen = now;
    gaps.blank = Math.max(gaps.blank, now - seen);
    for (const word of words)
      if (document.body.innerText.includes(word) && !gaps.words.includes(word)) gaps.words.push(word);
  }, 10);
  window.gaps = {
    reset: () => {
      meter.port.postMessage(0);
      Object.assign(gaps, { silence: 0, blank: 0, words: [] });
      seen = performance.now();
    },
    told: () => ({ silence: Math.round(gaps.silence), blank: Math.round(gaps.blank), words: gaps.words }),
  };
}

/** Begins to watch a page for a voice and (unless null) a hue, and for words that should not appear. */
export const watchGaps = (page, { hue = null, words = [] } = {}) => page.evaluate(watch, { hue, words });

/** The longest silence and blank that `change` causes, in milliseconds, looked at until `calmMs` after it; and the words that appeared. */
export async function gapsDuring(pages, change, { calmMs = 3_000 } = {}) {
  await Promise.all(pages.map((page) => page.evaluate(() => window.gaps.reset())));
  const took = await change();
  await new Promise((done) => setTimeout(done, calmMs));
  return { took, gaps: await Promise.all(pages.map((page) => page.evaluate(() => window.gaps.told()))) };
}
