/** Keeps the screen on while the page is looked at: browsers take the lock back from a hidden page. Returns how to stop. */
export function stayAwake(): () => void {
  let lock: WakeLockSentinel | undefined;
  let over = false;
  const ask = async () => {
    if (document.hidden || !('wakeLock' in navigator) || (lock && !lock.released)) return;
    const granted = await navigator.wakeLock.request('screen').catch(() => undefined);
    if (over) void granted?.release().catch(() => undefined);
    else lock = granted ?? lock;
  };
  document.addEventListener('visibilitychange', ask);
  void ask();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', ask);
    void lock?.release().catch(() => undefined);
  };
}

/** Names what plays on a phone's lock screen. Returns how to take it back. */
export function nameWhatPlays(title: string, artist: string): () => void {
  if (!('mediaSession' in navigator)) return () => undefined;
  navigator.mediaSession.metadata = new MediaMetadata({ title, artist });
  navigator.mediaSession.playbackState = 'playing';
  return () => {
    navigator.mediaSession.metadata = null;
    navigator.mediaSession.playbackState = 'none';
  };
}
