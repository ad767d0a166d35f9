/** Follows the loudness of a microphone, 0 to 1, about ten times a second; returns how to stop. */
export function followLevel(track: MediaStreamTrack, onLevel: (level: number) => void): () => void {
  const context = new AudioContext();
  void context.resume().catch(() => undefined);
  const analyser = context.createAnalyser();
  analyser.fftSize = 1_024;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    onLevel(loudness(samples));
  }, 100);
  return () => {
    clearInterval(timer);
    onLevel(0);
    void context.close();
  };
}

const QUIET_DB = -60;
const LOUD_DB = -10;

/** Root mean square on a decibel scale, so that a soft voice is visible. */
function loudness(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const decibels = 10 * Math.log10(power + 1e-10);
  return Math.min(1, Math.max(0, (decibels - QUIET_DB) / (LOUD_DB - QUIET_DB)));
}

/** A short bell through the chosen speaker ('' = default); resolves when it has rung out. */
export async function ringBell(speaker: string): Promise<void> {
  const context = new AudioContext();
  if (speaker && 'setSinkId' in context) {
    await (context as AudioContext & { setSinkId(id: string): Promise<void> })
      .setSinkId(speaker)
      .catch(() => undefined);
  }
  for (const [hz, start] of [
    [880, 0],
    [660, 0.35],
  ] as const) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const at = context.currentTime + start;
    tone.frequency.value = hz;
    volume.gain.setValueAtTime(0.25, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.9);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.9);
  }
  await new Promise((rung) => setTimeout(rung, 1_400));
  await context.close();
}
