// The cable of our own, by which bad links are measured: it delays, loses and narrows as it is told.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, before, test } from 'node:test';
import { inNamespace, openFarEnd } from './support/network.mjs';

const PORT = 7_777;
const ECHO = `require('node:dgram').createSocket('udp4', function (m, from) { this.send(m, from.port, from.address); }).bind(${PORT}, () => console.log('ready'));`;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

inNamespace('a cable of our own', import.meta.url, 3, () => {
  let far, socket;
  const answered = new Map();

  before(async () => {
    far = openFarEnd(process.execPath, { slow: true });
    const echo = far.start(process.execPath, ['-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((ready) => echo.stdout.once('data', ready));
    socket = createSocket('udp4').bind(0, '10.77.0.1');
    socket.on('message', (message) => answered.set(message.readUInt32BE(0), performance.now()));
  });

  after(() => {
    socket?.close();
    far?.close();
  });

  /** Sends so many datagrams of so many bytes, one each `every` ms; the round trips in ms of those that came back. */
  async function roundTrips(count, bytes, every) {
    answered.clear();
    const sent = [];
    for (let number = 0; number < count; number += 1) {
      const message = Buffer.alloc(bytes);
      message.writeUInt32BE(number, 0);
      sent.push(performance.now());
      socket.send(message, PORT, '10.77.0.2');
      if (every > 0) await wait(every);
    }
    await wait(1_500);
    return [...answered].map(([number, at]) => at - sent[number]);
  }

  test('what passes needs as long as told', async () => {
    far.be({ delay_ms: 100 });
    await roundTrips(1, 100, 0);
    const took = (await roundTrips(20, 100, 10)).sort((a, b) => a - b);
    assert.equal(took.length, 20);
    assert.ok(took[0] >= 199, `${took[0]} ms`);
    assert.ok(took[10] < 260, `${took[10]} ms`);
  });

  test('so much is lost in each direction', async () => {
    far.be({ loss_percent: 20 });
    const came = (await roundTrips(1_000, 100, 1)).length;
    assert.ok(came > 560 && came < 720, `${came} of 640`);
  });

  test('what a narrow one does not take waits, and is dropped beyond its queue', async () => {
    far.be({ kbps: 800, queue_ms: 300 });
    // A thousand bytes with their headers take 10 ms: one passes, 30 wait, one more may begin to.
    const took = await roundTrips(100, 972, 0);
    assert.ok(took.length >= 30 && took.length <= 34, `${took.length} came`);
    assert.ok(Math.max(...took) > 290, `${Math.max(...took)} ms`);
  });
});
