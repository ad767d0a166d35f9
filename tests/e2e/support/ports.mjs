// Ports for servers that are told where to listen.
import { createServer } from 'node:net';

/** Below those that the kernel gives to whoever asks for any: nobody gets one of these by chance, not even while its server is away for a moment. */
const FIRST = 12_000;
const LAST = 31_900;

function isFree(port, host) {
  return new Promise((done) => {
    const probe = createServer()
      .once('error', () => done(false))
      .listen(port, host, () => probe.close(() => done(true)));
  });
}

/** A port that nobody listens on now, nor on those so far behind it. */
export async function freePort(host, offsets = [0]) {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if ((await Promise.all(offsets.map((offset) => isFree(port + offset, host)))).every(Boolean)) return port;
  }
  throw new Error(`no free port on ${host}`);
}
