// How long somebody waits for a voice, by the packets that come to the page.

/** Runs in a page before any script: notes when the first packet of a voice came since the last tap, and the longest time without one since. */
export function stopwatch() {
  const Real = window.RTCPeerConnection;
  const open = new Set();
  window.voice = { tappedAt: undefined, firstAt: undefined, lastAt: undefined, longestGap: 0 };
  window.RTCPeerConnection = class extends Real {
    constructor(...args) {
      super(...args);
      open.add(this);
    }
  };
  let before = new Map();
  async function look() {
    const counts = new Map();
    for (const connection of open) {
      if (connection.connectionState === 'closed') open.delete(connection);
      else
        for (const report of (await connection.getStats()).values())
          if (report.type === 'inbound-rtp' && report.kind === 'audio')
            counts.set(report.id + [...open].indexOf(connection), report.packetsReceived);
    }
    const now = performance.now();
    if ([...counts].some(([id, count]) => count > (before.get(id) ?? 0))) {
      window.voice.firstAt ??= now;
      if (window.voice.lastAt !== undefined)
        window.voice.longestGap = Math.max(window.voice.longestGap, now - window.voice.lastAt);
      window.voice.lastAt = now;
    }
    before = counts;
    setTimeout(look, 25);
  }
  look();
  addEventListener(
    'click',
    () => {
      window.voice.tappedAt = performance.now();
      window.voice.firstAt = undefined;
    },
    true,
  );
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** Milliseconds from the last tap to the first packet of a voice; `undefined` when none came in time. */
export async function untilHeard(page, patienceMs = 30_000) {
  const end = Date.now() + patienceMs;
  while (Date.now() < end) {
    const took = await page.evaluate(() =>
      window.voice?.firstAt === undefined ? undefined : Math.round(window.voice.firstAt - window.voice.tappedAt),
    );
    if (took !== undefined) return took;
    await wait(100);
  }
  return undefined;
}

/**
 * The longest time without a packet that `change` causes, in milliseconds: looked at until packets have come for `calmMs` at a stretch;
 * `undefined` when they do not.
 */
export async function gapAfter(page, change, { calmMs = 3_000, patienceMs = 30_000 } = {}) {
  if (await page.evaluate(() => window.voice.lastAt === undefined)) return undefined;
  await page.evaluate(() => {
    window.voice.longestGap = 0;
  });
  await change();
  const end = Date.now() + patienceMs;
  let since = Date.now();
  while (Date.now() < end) {
    const silence = await page.evaluate(() => performance.now() - window.voice.lastAt);
    if (silence > 500) since = Date.now();
    if (Date.now() - since > calmMs) return page.evaluate(() => Math.round(window.voice.longestGap));
    await wait(100);
  }
  return undefined;
}
