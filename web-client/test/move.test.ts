import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LessonSession } from '../src/lesson/session.ts';
import { handover, HANDOVER_MS, type Reception } from '../src/media/handover.ts';
import { PublisherLeg } from '../src/media/publisher.ts';
import type { ClientFrame, Publication, Slot } from '../src/protocol/generated.ts';
import { FakeServer, FakeSocket, LESSON, TEACHER } from './support/fakeServer.ts';

const SESSION = '00000000-0000-7000-8000-0000000000bb';
let server: FakeServer;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Somebody in a lesson, with every state that was ever shown of the connection. */
async function enter() {
  const session = new LessonSession(LESSON, SESSION, { receiveMode: 'everything', cameraSlots: 2, budget: null });
  session.enter();
  await pass(500);
  const shown: string[] = [];
  session.connection.subscribe(({ kind }) => {
    if (kind !== shown.at(-1)) shown.push(kind);
  });
  return { session, shown };
}

const hellos = () => server.received.filter(({ type }) => type === 'hello').length;
const texts = (session: LessonSession) => session.chat.state.value.lines.map(({ text }) => text);

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
  server = new FakeServer();
  FakeSocket.server = server;
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('fetch', async () => Response.json({ ticket: 't', socket: '/ws/other' }));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a server that goes down', () => {
  test('is left for another one while it still serves, and nothing of it is shown', async () => {
    const { session, shown } = await enter();
    const [first] = server.sockets;
    server.moveOut();
    await pass(60);
    expect(server.sockets).toHaveLength(2);
    expect(first?.readyState).toBe(1);
    await pass(1_000);
    expect(server.sockets).toHaveLength(1);
    expect(first?.readyState).toBe(3);
    expect(server.sockets[0]?.url).toMatch(/other$/);
    const raised = session.command({ type: 'raise_hand' });
    await pass(500);
    expect(await raised).toBe(1);
    expect(shown).toEqual(['open']);
    session.abandon();
  });

  test.each([4409, 4502, 1006])('may close with %i as soon as the other one has taken over', async (code) => {
    const { session, shown } = await enter();
    const [first] = server.sockets;
    server.moveOut();
    while (hellos() < 2) await pass(5);
    first?.end(code);
    await pass(1_000);
    expect(shown).toEqual(['open']);
    expect(server.sockets.filter(({ readyState }) => readyState === 1)).toHaveLength(1);
    session.abandon();
  });

  test('is followed again when the other one sends on, and left in the ordinary way when none takes over', async () => {
    const { session, shown } = await enter();
    const [first] = server.sockets;
    server.moveOut();
    await pass(60);
    server.sockets[1]?.end(4502);
    server.sockets.pop();
    expect(shown).toEqual(['open']);
    await pass(3_000);
    expect(hellos()).toBe(2);
    expect(shown).toEqual(['open']);
    expect(first?.readyState).toBe(3);
    vi.stubGlobal('fetch', async () => new Response('', { status: 503 }));
    server.moveOut();
    await pass(3_000);
    expect(shown).toEqual(['open']);
    server.cut(4502);
    await pass(100);
    expect(shown).toEqual(['open', 'cut']);
    vi.stubGlobal('fetch', async () => Response.json({ ticket: 't', socket: '/ws' }));
    await pass(20_000);
    expect(shown).toEqual(['open', 'cut', 'open']);
    session.abandon();
  });

  test('tells each event once, whichever connection brings it, and lines said meanwhile are said once', async () => {
    const { session } = await enter();
    const mine: string[] = [];
    for (let at = 0; at < 30; at++) {
      if (at === 5 || at === 15) server.moveOut();
      server.append({ type: 'said', user: TEACHER, to: 'everyone', text: `theirs ${at}` }, TEACHER);
      if (at % 3 === 0) {
        mine.push(`mine ${at}`);
        session.chat.say(`mine ${at}`, 'everyone');
      }
      await pass(11);
    }
    await pass(5_000);
    expect(hellos()).toBe(3);
    const said = server.log.map(({ event }) => (event.type === 'said' ? event.text : ''));
    expect(texts(session)).toEqual(said);
    expect(said.filter((text) => text?.startsWith('mine'))).toEqual(mine);
    expect(session.chat.state.value.pending).toEqual([]);
    session.abandon();
  });

  test('is asked for one leg where it moves to, although that one says that there was none', async () => {
    const { session } = await enter();
    server.received.length = 0;
    server.moveOut();
    while (hellos() < 1) await pass(5);
    for (const leg of ['subscriber', 'publisher'] as const) server.sockets[1]?.deliver({ type: 'leg_lost', leg });
    await pass(2_000);
    const asked = server.received.map(({ type }) => type).filter((type) => type.endsWith('_subscriber'));
    expect(asked).toEqual(['open_subscriber']);
    expect(server.received.map(({ type }) => type)).toContain('receive');
    session.abandon();
  });
});

/** A leg in which something comes whenever it is looked at. */
function reception(...flowing: [Slot, Publication][]): Reception & { begin(...more: [Slot, Publication][]): void } {
  const slots = new Map<Slot, Publication>();
  const counts = new Map<Slot, number>();
  const begin = (...more: [Slot, Publication][]) => {
    for (const [slot, publication] of more) slots.set(slot, publication);
  };
  begin(...flowing);
  const received = async () => {
    for (const slot of slots.keys()) counts.set(slot, (counts.get(slot) ?? 0) + 1);
    return new Map(counts);
  };
  return { slots, received, begin };
}

describe('a handover between two legs', () => {
  const voice: Publication = { user: TEACHER, source: 'microphone' };
  const face: Publication = { user: TEACHER, source: 'camera' };

  async function begun(from: Reception, to: Reception) {
    const state = { done: false };
    void handover(from, to).then(() => {
      state.done = true;
    });
    await pass(1_000);
    return state;
  }

  test('waits until everything that came comes, wherever it sits', async () => {
    const to = reception([0, voice]);
    const state = await begun(reception([0, voice], [6, face]), to);
    expect(state.done).toBe(false);
    to.begin([7, face]);
    await pass(300);
    expect(state.done).toBe(true);
  });

  test('does not wait for what no longer comes', async () => {
    const silent = reception([0, voice]);
    const from = {
      slots: new Map([...silent.slots, [1, { user: 'x', source: 'microphone' } as Publication]]),
      received: silent.received,
    };
    expect((await begun(from, reception([0, voice]))).done).toBe(true);
  });

  test('waits for a picture that stands still', async () => {
    const page: Publication = { user: TEACHER, source: 'screen' };
    const still = { slots: new Map([[4, page]]), received: async () => new Map([[4, 12]]) };
    const to = reception([0, voice]);
    const state = await begun(still, to);
    expect(state.done).toBe(false);
    to.begin([4, page]);
    await pass(300);
    expect(state.done).toBe(true);
  });

  test('waits for the new leg where nobody speaks, and no longer than the old one lives', async () => {
    const state = await begun(reception(), { slots: new Map(), received: async () => new Map() });
    expect(state.done).toBe(false);
    await pass(HANDOVER_MS);
    expect(state.done).toBe(true);
  });
});

test('tracks go over both publishing legs until listeners have moved too', async () => {
  const made: Connection[] = [];
  class Connection {
    closed = false;
    carried: unknown[] = [];
    localDescription = { sdp: '' };
    constructor() {
      made.push(this);
    }
    addTransceiver() {
      const sender = { replaceTrack: async (track: unknown) => void this.carried.push(track) };
      return { mid: String(this.carried.length), sender };
    }
    async createOffer() {}
    async setLocalDescription() {}
    async setRemoteDescription() {}
    close() {
      this.closed = true;
    }
  }
  vi.stubGlobal('RTCPeerConnection', Connection);
  const sent: ClientFrame[] = [];
  const nothing = () => undefined;
  const leg = new PublisherLeg({
    onStalled: () => undefined,
    onUplink: () => undefined,
    send: (frame) => sent.push(frame),
    relays: () => [],
    onEnded: nothing,
    onSilenced: nothing,
  });
  const track = { stop: vi.fn(), getSettings: () => ({}) } as unknown as MediaStreamTrack;
  const put = leg.put('microphone', track);
  await pass(10);
  leg.answered('');
  await put;
  const moving = leg.move();
  await leg.lost();
  await pass(10);
  leg.answered('');
  await moving;
  expect(made).toHaveLength(2);
  expect(sent.filter(({ type }) => type === 'publisher_offer')).toHaveLength(2);
  expect(made.map(({ carried }) => carried.includes(track))).toEqual([true, true]);
  await pass(HANDOVER_MS - 100);
  expect(made.map(({ closed }) => closed)).toEqual([false, false]);
  await pass(200);
  expect(made.map(({ closed }) => closed)).toEqual([true, false]);
  expect(track.stop).not.toHaveBeenCalled();
  leg.close();
});
