// The golden frames that the server's tests encode and decode, decoded on this side.
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { LessonSession } from '../src/lesson/session.ts';
import { applyToChat, EMPTY_CHAT } from '../src/room/chat.ts';
import { apply, fromSnapshot } from '../src/room/state.ts';
import { FakeServer, FakeSocket, LESSON } from './support/fakeServer.ts';

const folder = path.resolve(import.meta.dirname, '../../tests/fixtures/protocol');
const read = (name) => JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'));
const generated = fs.readFileSync(path.resolve(import.meta.dirname, '../src/protocol/generated.ts'), 'utf8');
const frames = read('server_frames.json');
const clientFrames = read('client_frames.json');
const events = frames.filter(({ type }) => type === 'event');

/** The tags of a generated union, in the words of the wire. */
function tags(type) {
  const [, union] = generated.match(new RegExp(`export type ${type} = ([\\s\\S]*?);\\nexport type`)) ?? [];
  return [...new Set([...(union ?? '').matchAll(/"type": "(\w+)"/g)].map(([, tag]) => tag))].sort();
}
const kinds = (list) => [...new Set(list.map(({ type }) => type))].sort();

describe('golden frames', () => {
  test('there is one of each kind that this side has a type for', () => {
    expect(kinds(events.map(({ event }) => event))).toEqual(tags('Event'));
    expect(kinds(clientFrames)).toEqual(tags('ClientFrame'));
    expect(kinds(clientFrames.flatMap(({ command }) => command ?? []))).toEqual(tags('Command'));
    expect(kinds(frames)).toEqual(
      [...new Set(generated.split('export type ServerFrame')[1].match(/"type": "\w+"/g))]
        .map((t) => t.slice(9, -1))
        .sort(),
    );
  });

  test('every event can be folded', () => {
    const { snapshot } = frames.find((frame) => frame.type === 'welcome' && frame.snapshot);
    let state = fromSnapshot(snapshot);
    let chat = EMPTY_CHAT;
    for (const logged of events) {
      state = apply(state, logged);
      chat = applyToChat(chat, logged);
      expect(state.position).toEqual({ number: logged.number, chain: logged.chain });
    }
    expect(chat.lines.length).toBeGreaterThan(0);
  });

  test('a session takes every frame of the server', async () => {
    vi.useFakeTimers();
    vi.stubGlobal('WebSocket', FakeSocket);
    vi.stubGlobal('fetch', async () => Response.json({ ticket: 't', socket: '/ws' }));
    vi.stubGlobal(
      'RTCPeerConnection',
      class {
        setRemoteDescription = () => Promise.reject(new Error('not here'));
        close() {}
      },
    );
    FakeSocket.server = new FakeServer();
    const session = new LessonSession(LESSON, 'golden', { receiveMode: 'everything', cameraSlots: 6, budget: null });
    session.enter();
    await vi.advanceTimersByTimeAsync(500);
    // The examples of events are numbered from 1; here they follow the examples of snapshots.
    const later = (frame) => (frame.type === 'event' ? { ...frame, number: frame.number + 1_000 } : frame);
    const [socket] = FakeSocket.server.sockets;
    for (const frame of frames) if (frame.type !== 'move') socket.deliver(later(frame));
    await vi.advanceTimersByTimeAsync(500);
    expect(session.connection.value).toEqual({ kind: 'open' });
    expect(session.state.value?.position.number).toBe(events.at(-1).number + 1_000);
    session.abandon();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
});
