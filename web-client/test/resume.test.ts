import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LessonSession } from '../src/lesson/session.ts';
import { keepSending, sentBefore } from '../src/lesson/reload.ts';
import { FakeServer, FakeSocket, LESSON, ME, TEACHER } from './support/fakeServer.ts';

const SESSION = '00000000-0000-7000-8000-0000000000bb';
let server: FakeServer;
let ticketAnswer: () => Response;

function enter(): LessonSession {
  const session = new LessonSession(LESSON, SESSION, { receiveMode: 'voice', cameraSlots: 2, budget: 25_000_000 });
  session.enter();
  return session;
}

const texts = (session: LessonSession) => session.chat.state.value.lines.map(({ text }) => text);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** A leg that takes every offer and carries nothing. */
class Connection {
  readonly connectionState = 'connected';
  readonly localDescription = { sdp: '' };
  async setRemoteDescription() {}
  async setLocalDescription() {}
  async getStats() {
    return new Map();
  }
  close() {}
}

/** Repeatable chance. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
  server = new FakeServer();
  FakeSocket.server = server;
  ticketAnswer = () => Response.json({ ticket: 't', socket: '/ws' });
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('fetch', async () => ticketAnswer());
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a server that stands still', () => {
  test('is not waited for: another ticket is asked for after a moment, and the first answer counts', async () => {
    const session = enter();
    await pass(500);
    let asked = 0;
    vi.stubGlobal('fetch', async () => (++asked === 1 ? new Promise(() => undefined) : ticketAnswer()));
    server.cut();
    await pass(300 + 1_500 + 200);
    expect(asked).toBe(2);
    expect(session.connection.value.kind).toBe('open');
    session.abandon();
  });

  test('is asked once where it answers, and a refusal is an answer', async () => {
    const session = enter();
    await pass(500);
    let asked = 0;
    vi.stubGlobal('fetch', async () => {
      asked++;
      return Response.json({ error: 'kept_out' }, { status: 403 });
    });
    server.cut();
    await pass(5_000);
    expect(asked).toBe(1);
    expect(session.connection.value).toEqual({ kind: 'stopped', reason: 'kept_out' });
  });

  test('that takes a socket and does not welcome is left after five seconds', async () => {
    const session = enter();
    await pass(500);
    server.frozen = true;
    server.cut(4502);
    await pass(250 + 4_000);
    server.frozen = false;
    expect(session.connection.value.kind).toBe('cut');
    await pass(1_000 + 600 + 200);
    expect(session.connection.value.kind).toBe('open');
    session.abandon();
  });
});

describe('a line that is cut again and again', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('loses nothing and doubles nothing (dice %i)', async (seed) => {
    const random = dice(seed * 7_919);
    const session = enter();
    await pass(500);
    const mine: string[] = [];
    for (let round = 0; round < 40; round++) {
      const roll = random();
      if (roll < 0.3) server.append({ type: 'said', user: TEACHER, to: 'everyone', text: `theirs ${round}` }, TEACHER);
      else if (roll < 0.6) {
        mine.push(`mine ${round}`);
        session.chat.say(`mine ${round}`, 'everyone');
      } else if (roll < 0.8) server.cut(random() < 0.5 ? 1006 : 4502);
      await pass(random() * 120);
    }
    await pass(30_000);
    const log = server.log.map(({ event }) => (event.type === 'said' ? event.text : ''));
    expect(texts(session)).toEqual(log);
    expect(log.filter((text) => text?.startsWith('mine'))).toEqual(expect.arrayContaining(mine));
    expect(log.filter((text) => text?.startsWith('mine'))).toHaveLength(mine.length);
    expect(session.chat.state.value.pending).toEqual([]);
    expect(session.state.value?.position.number).toBe(server.log.length);
    session.abandon();
  });

  test('comes back with a snapshot when the server has forgotten the events between', async () => {
    const session = enter();
    await pass(500);
    server.append({ type: 'said', user: TEACHER, to: 'everyone', text: 'one' }, TEACHER);
    await pass(500);
    server.cut();
    for (let i = 0; i < 5; i++) server.append({ type: 'said', user: TEACHER, to: 'everyone', text: `m${i}` }, TEACHER);
    server.oldest = 4;
    await pass(10_000);
    expect(texts(session)).toEqual(['one', 'm0', 'm1', 'm2', 'm3', 'm4']);
    expect(session.state.value?.position.number).toBe(6);
    session.abandon();
  });

  test('a line written before a reload is sent by the page after it, once', async () => {
    const before = enter();
    await pass(500);
    server.cut();
    before.chat.say('not lost', 'everyone');
    before.abandon();
    const after = enter();
    await pass(2_000);
    expect(server.log.filter(({ event }) => event.type === 'said')).toHaveLength(1);
    expect(texts(after)).toEqual(['not lost']);
    expect(after.chat.state.value.pending).toEqual([]);
    expect(Object.keys(sessionStorage).filter((key) => key.includes('pending'))).toEqual([]);
    after.abandon();
  });

  test('a line refused after a reload is marked, not shown as being on its way for ever', async () => {
    const before = enter();
    await pass(500);
    server.cut();
    before.chat.say('too late', 'everyone');
    before.abandon();
    server.refuse = () => 'chat_closed';
    const after = enter();
    await pass(2_000);
    expect(after.chat.state.value.pending).toMatchObject([
      { text: 'too late', state: 'failed', failure: 'chat_closed' },
    ]);
    after.abandon();
  });
});

describe('coming back', () => {
  test('a cut says since when, and a return says open', async () => {
    const session = enter();
    await pass(500);
    expect(session.connection.value).toEqual({ kind: 'open' });
    const since = Date.now();
    server.cut();
    expect(session.connection.value).toEqual({ kind: 'cut', since });
    await pass(5_000);
    expect(session.connection.value).toEqual({ kind: 'open' });
    session.abandon();
  });

  test.each([
    [4404, 'removed'],
    [4405, 'kept_out'],
    [4407, 'withdrawn'],
    [4406, 'locked'],
    [4409, 'replaced'],
    [4410, 'ended'],
    [4426, 'version'],
  ])('close code %i stops and says %s', async (code, reason) => {
    const session = enter();
    await pass(500);
    server.cut(code);
    await pass(60_000);
    expect(session.connection.value).toEqual({ kind: 'stopped', reason });
    expect(server.sockets).toHaveLength(0);
  });

  test.each([1006, 1001, 4401, 4500, 4501, 4502, 4503, 4504])('close code %i returns', async (code) => {
    const session = enter();
    await pass(500);
    server.cut(code);
    await pass(10_000);
    expect(session.connection.value).toEqual({ kind: 'open' });
    expect(server.sockets).toHaveLength(1);
    session.abandon();
  });

  test('a refused ticket stops with its reason', async () => {
    ticketAnswer = () => Response.json({ error: 'kept_out' }, { status: 409 });
    const session = enter();
    await pass(100);
    expect(session.connection.value).toEqual({ kind: 'stopped', reason: 'kept_out' });
  });

  test('a server away is asked again until it is back', async () => {
    ticketAnswer = () => new Response('', { status: 503 });
    const session = enter();
    await pass(20_000);
    expect(session.connection.value.kind).toBe('cut');
    ticketAnswer = () => Response.json({ ticket: 't', socket: '/ws' });
    await pass(10_000);
    expect(session.connection.value).toEqual({ kind: 'open' });
    session.abandon();
  });

  test('a network that comes and goes while a ticket is on its way opens one socket, not two', async () => {
    const answers: ((response: Response) => void)[] = [];
    const session = enter();
    await pass(500);
    vi.stubGlobal('fetch', () => new Promise<Response>((done) => answers.push(done)));
    server.cut();
    await pass(5_000);
    for (let i = 0; i < 3; i++) window.dispatchEvent(new window.Event('online'));
    for (const answer of answers) answer(Response.json({ ticket: 't', socket: '/ws' }));
    await pass(500);
    expect(server.sockets).toHaveLength(1);
    expect(server.received.filter(({ type }) => type === 'hello')).toHaveLength(2);
    session.abandon();
  });

  test('a network that changed under an open socket is left for the new one at once', async () => {
    const session = enter();
    await pass(500);
    const [dead] = server.sockets.splice(0);
    if (dead) dead.deliver = () => undefined;
    window.dispatchEvent(new window.Event('online'));
    await pass(1_500);
    expect(session.connection.value).toEqual({ kind: 'open' });
    expect(server.received.filter(({ type }) => type === 'hello')).toHaveLength(2);
    session.abandon();
  });

  test('asks for its picture and sound again after a cut that had lost them', async () => {
    const session = enter();
    await pass(500);
    server.cut();
    server.received.length = 0;
    await pass(10_000);
    expect(server.received.map(({ type }) => type)).toContain('open_subscriber');
    session.abandon();
  });

  test('a server that lost the leg is asked for one offer, not for a second one on top', async () => {
    vi.stubGlobal('RTCPeerConnection', Connection);
    const session = enter();
    await pass(500);
    server.sockets[0]?.deliver({ type: 'subscriber_offer', sdp: '' });
    await pass(500);
    server.cut();
    server.received.length = 0;
    while (!server.sockets[0]?.attached) await pass(50);
    server.sockets[0].deliver({ type: 'leg_lost', leg: 'subscriber' });
    await pass(100);
    server.sockets[0].deliver({ type: 'subscriber_offer', sdp: '' });
    await pass(2_000);
    const asked = server.received.map(({ type }) => type).filter((type) => type.endsWith('_subscriber'));
    expect(asked).toEqual(['open_subscriber']);
    session.abandon();
  });

  describe('media that fall silent', () => {
    /** A leg over which something comes look by look, until it does not. */
    class Flowing extends Connection {
      static flows = true;
      #bytes = 0;
      override async getStats() {
        if (Flowing.flows) this.#bytes += 5_000;
        return new Map([['pair', { type: 'candidate-pair', bytesReceived: this.#bytes }]]);
      }
    }

    async function listen(): Promise<LessonSession> {
      Flowing.flows = true;
      vi.stubGlobal('RTCPeerConnection', Flowing);
      const session = enter();
      await pass(500);
      server.sockets[0]?.deliver({ type: 'subscriber_offer', sdp: '' });
      const publication = { user: TEACHER, source: 'microphone' } as never;
      server.sockets[0]?.deliver({ type: 'slot_assigned', slot: 0, publication });
      await pass(5_000);
      Flowing.flows = false;
      return session;
    }

    test('with a line that is dead are told as a cut in seconds, not when the pulse is missed', async () => {
      const session = await listen();
      server.frozen = true;
      await pass(11_000);
      expect(session.connection.value.kind).toBe('cut');
      session.abandon();
    });

    test('beside a line that answers are no cut', async () => {
      const session = await listen();
      await pass(20_000);
      expect(session.connection.value.kind).toBe('open');
      session.abandon();
    });
  });

  test('a leg that outlived the cut looks for a better way', async () => {
    vi.stubGlobal('RTCPeerConnection', Connection);
    const session = enter();
    await pass(500);
    server.sockets[0]?.deliver({ type: 'subscriber_offer', sdp: '' });
    await pass(500);
    server.cut();
    server.received.length = 0;
    await pass(5_000);
    const asked = server.received.map(({ type }) => type).filter((type) => type.endsWith('_subscriber'));
    expect(asked).toEqual(['restart_subscriber']);
    session.abandon();
  });
});

test('a command is told its number, a refusal its code', async () => {
  const session = enter();
  await pass(500);
  const raised = session.command({ type: 'raise_hand' });
  await pass(500);
  expect(await raised).toBe(1);
  expect(session.state.value?.hands).toEqual([{ user: ME, since: 1_000 }]);
  server.refuse = () => 'not_allowed';
  const told: unknown[] = [];
  session.onNotice = (notice) => told.push(notice);
  const refused = session.command({ type: 'end' }).catch(({ code }) => code);
  await pass(500);
  expect(await refused).toBe('not_allowed');
  expect(told).toEqual([{ kind: 'refused', code: 'not_allowed' }]);
  session.abandon();
});

test('what a page sent is sent again after a reload of the same lesson, and only soon', () => {
  keepSending(LESSON, { microphone: { muted: true } }, 1_000);
  expect(sentBefore(LESSON, 20_000)).toEqual({ microphone: { muted: true } });
  expect(sentBefore('another', 20_000)).toEqual({});
  expect(sentBefore(LESSON, 90_000)).toEqual({});
});
