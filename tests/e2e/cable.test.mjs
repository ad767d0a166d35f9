// The cable of our own, by which bad links are measured: it delays, loses and narrows as it is told.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { inNamespace, openFarEnd } from './support/network.mjs';
import { opened, test } from './support/scene.mjs';

const PORT = 7_777;
const ECHO = `require('node:dgram').createSocket('udp4', function (m, from) { this.send(m, from.port, from.address); }).bind(${PORT}, () => console.log('ready'));`;
const ARITHMETIC = new URL('support/cable_in_virtual_time.py', import.meta.url).pathname;
/** Nothing comes any more when nothing came for so long. */
const QUIET_MS = 1_500;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

inNamespace('a cable of our own', import.meta.url, 4, () => {
  const answered = new Map();
  const scene = opened({
    far: async () => {
      const far = openFarEnd(process.execPath, { slow: true });
      const echo = far.start(process.execPath, ['-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise((ready) => echo.stdout.once('data', ready));
      return far;
    },
    socket: () =>
      createSocket('udp4')
        .bind(0, '10.77.0.1')
        .on('message', (message) => answered.set(message.readUInt32BE(0), performance.now())),
  });

  /** Sends so many datagrams of so many bytes, one each `every` ms; the round trips in ms of those that came back, and how long all took. */
  async function roundTrips(count, bytes, every) {
    answered.clear();
    const sent = [];
    for (let number = 0; number < count; number += 1) {
      const message = Buffer.alloc(bytes);
      message.writeUInt32BE(number, 0);
      sent.push(performance.now());
      scene.socket.send(message, PORT, '10.77.0.2');
      if (every > 0) await wait(every);
    }
    for (let came = -1; answered.size > came && answered.size < count; ) {
      came = answered.size;
      for (let waited = 0; waited < QUIET_MS && answered.size < count; waited += 50) await wait(50);
    }
    return {
      trips: [...answered].map(([number, at]) => at - sent[number]),
      tookMs: Math.max(...answered.values()) - sent[0],
    };
  }

  test('its arithmetic, in a time of its own', () => {
    const { status, stderr } = spawnSync('python3', ['-B', ARITHMETIC], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });

  test('what passes needs at least as long as told', async () => {
    scene.far.be({ delay_ms: 100 });
    await roundTrips(1, 100, 0);
    const { trips } = await roundTrips(20, 100, 10);
    assert.equal(trips.length, 20);
    assert.ok(Math.min(...trips) >= 199, `${Math.min(...trips)} ms`);
  });

  test('so much is lost in each direction', async () => {
    scene.far.be({ loss_percent: 20 });
    const came = (await roundTrips(1_000, 100, 1)).trips.length;
    assert.ok(came > 560 && came < 720, `${came} of 640`);
  });

  test('what a narrow one does not take is dropped, and nothing passes faster than told', async () => {
    scene.far.be({ kbps: 800, queue_ms: 300 });
    // A thousand bytes with their headers take 10 ms each way.
    const { trips, tookMs } = await roundTrips(100, 972, 0);
    assert.ok(trips.length >= 30, `${trips.length} came`);
    assert.ok(tookMs >= trips.length * 10, `${trips.length} in ${tookMs} ms`);
  });
});
