/** A short soft tone: something waits for the teacher. Silent where the browser plays nothing yet. */
export async function chime(): Promise<void> {
  const context = new AudioContext();
  if (context.state !== 'running') {
    await context.close();
    return;
  }
  const tone = context.createOscillator();
  const volume = context.createGain();
  const now = context.currentTime;
  tone.frequency.value = 740;
  volume.gain.setValueAtTime(0.08, now);
  volume.gain.exponentialRampToValueAtTime(0.001, now + 0.4);
  tone.connect(volume).connect(context.destination);
  tone.start(now);
  tone.stop(now + 0.4);
  tone.onended = () => void context.close();
}
