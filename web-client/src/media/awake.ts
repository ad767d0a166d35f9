/** Keeps the screen on while the lesson is visible, and the lesson named on a phone's lock screen. Returns how to stop. */
export function stayAwake(title: string, artist: string): () => void {
  let lock: WakeLockSentinel | undefined;
  const ask = async () => {
    if (document.hidden || !('wakeLock' in navigator)) return;
    lock = await navigator.wakeLock.request('screen').catch(() => undefined);
  };
  document.addEventListener('visibilitychange', ask);
  void ask();
  if ('mediaSession' in navigator) {
    navigator.mediaSession.metadata = new MediaMetadata({ title, artist });
    navigator.mediaSession.playbackState = 'playing';
  }
  return () => {
    document.removeEventListener('visibilitychange', ask);
    void lock?.release().catch(() => undefined);
    if ('mediaSession' in navigator) navigator.mediaSession.metadata = null;
  };
}
