import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Approach } from '../src/lesson/approach.ts';
import { LessonSession } from '../src/lesson/session.ts';
import { FakeServer, FakeSocket, LESSON } from './support/fakeServer.ts';

const SESSION = '00000000-0000-7000-8000-0000000000bb';
const WANTED = { receiveMode: 'voice', cameraSlots: 2, budget: null } as const;
let server: FakeServer;
let tickets: number;
let refused: boolean;

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const approach = () => new Approach(LESSON, Promise.resolve(SESSION));
const said = () => server.received.map(({ type }) => type);

function enter(way: Approach): LessonSession {
  const session = new LessonSession(LESSON, SESSION, WANTED, way);
  session.enter();
  return session;
}

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
  server = new FakeServer();
  FakeSocket.server = server;
  [tickets, refused] = [0, false];
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('fetch', async () => {
    tickets += 1;
    return refused
      ? Response.json({ error: 'not_admitted' }, { status: 403 })
      : Response.json({ ticket: `t${tickets}`, socket: '/ws' });
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('the way to a lesson', () => {
  test('is there when somebody taps: hello goes out at once, and with it the request for the offer', async () => {
    const way = approach();
    await pass(3_000);
    expect([tickets, server.sockets.length, said()]).toEqual([1, 1, []]);
    const session = enter(way);
    await pass(26);
    expect(said()).toEqual(['hello', 'open_subscriber']);
    await pass(1_000);
    expect([tickets, server.sockets.length]).toEqual([1, 1]);
    expect(session.connection.value.kind).toBe('open');
    expect(said().filter((type) => type === 'open_subscriber')).toHaveLength(1);
    session.abandon();
  });

  test('is kept for half a minute by a socket every six seconds, never more than two at once', async () => {
    const way = approach();
    for (let at = 0; at < 60; at++) {
      await pass(1_000);
      expect(server.sockets.length).toBeLessThanOrEqual(2);
    }
    expect(tickets).toBe(2);
    const session = enter(way);
    await pass(1_000);
    expect(tickets).toBe(3);
    expect(session.connection.value.kind).toBe('open');
    session.abandon();
  });

  test('is gone when they turn away', async () => {
    const way = approach();
    await pass(1_000);
    way.end();
    await pass(10_000);
    expect([server.sockets, said()]).toEqual([[], []]);
  });

  test('that is refused opens nothing, and the tap hears why', async () => {
    refused = true;
    const way = approach();
    await pass(10_000);
    expect(server.sockets).toEqual([]);
    const session = enter(way);
    await pass(1_000);
    expect(session.connection.value).toEqual({ kind: 'stopped', reason: 'not_admitted' });
  });
});
