import { beforeEach, describe, expect, test, vi } from 'vitest';
import { CLOSE_CODES } from '../src/protocol/generated.ts';
import { uuidv7 } from '../src/signal/ids.ts';
import { Memory, tabMemory } from '../src/signal/memory.ts';
import { PendingCommands, Refused } from '../src/signal/pending.ts';
import { afterClose, afterTicketRefused, backOff } from '../src/signal/policy.ts';

describe('what a close code asks for', () => {
  test('44xx stop, but for a stale ticket; 45xx and unknown ones return', () => {
    for (const code of Object.keys(CLOSE_CODES).map(Number)) {
      const stops = code < 4500 && CLOSE_CODES[code] !== 'ticket';
      expect(afterClose(code, 0).kind, `${code}`).toBe(stops ? 'stop' : 'return');
    }
    for (const code of [1000, 1001, 1006, 1011, 4999]) expect(afterClose(code, 0).kind).toBe('return');
  });

  test('back-off grows, stays under eight seconds and spreads a class', () => {
    expect(backOff(0, () => 1)).toBe(300);
    expect(backOff(3, () => 1)).toBe(2_400);
    expect(backOff(50, () => 1)).toBe(8_000);
    expect(backOff(50, () => 0)).toBe(4_000);
  });

  test('a node that drains is left at once', () => {
    expect(afterClose(4502, 9, () => 1)).toEqual({ kind: 'return', afterMs: 250 });
  });

  test.each([
    [403, 'not_admitted', 'not_admitted'],
    [409, 'lesson_ended', 'ended'],
    [409, 'locked', 'locked'],
    [425, 'too_early', 'too_early'],
    [401, 'signed_out', 'signed_out'],
    [403, 'account_disabled', 'refused'],
  ])('a ticket refused by %i %s stops: %s', (status, code, reason) => {
    expect(afterTicketRefused(status, code, 0)).toEqual({ kind: 'stop', reason });
  });

  test.each([
    [0, 'unreachable'],
    [429, 'too_many_attempts'],
    [502, 'other'],
    [503, 'unavailable'],
  ])('a ticket refused by %i %s is asked for again', (status, code) => {
    expect(afterTicketRefused(status, code, 0).kind).toBe('return');
  });
});

describe('command ids', () => {
  test('are UUIDs of version 7 that sort by time', () => {
    const early = uuidv7(1_000_000_000_000);
    const late = uuidv7(1_700_000_000_000);
    for (const id of [early, late])
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(early < late).toBe(true);
    expect(Number.parseInt(late.replace('-', '').slice(0, 12), 16)).toBe(1_700_000_000_000);
  });
});

describe('pending commands', () => {
  const send = vi.fn();
  beforeEach(() => {
    sessionStorage.clear();
    send.mockReset();
  });

  test('are sent again with the same id, in their order, until answered', async () => {
    const pending = new PendingCommands('x', tabMemory, send);
    const first = pending.submit({ type: 'say', text: 'a', to: 'everyone' }, 'id-a');
    pending.submit({ type: 'raise_hand' }, 'id-b');
    send.mockReset();
    pending.resend();
    expect(send.mock.calls.map(([{ id }]) => id)).toEqual(['id-a', 'id-b']);
    pending.accepted('id-a', 7);
    expect(await first).toBe(7);
    send.mockReset();
    pending.resend();
    expect(send.mock.calls.map(([{ id }]) => id)).toEqual(['id-b']);
  });

  test('a refusal for good rejects with its code; "later" is tried again', async () => {
    vi.useFakeTimers();
    const pending = new PendingCommands('x', tabMemory, send);
    const done = pending.submit({ type: 'end' }, 'id').catch((error) => error);
    pending.refused('id', 'busy', 700);
    vi.advanceTimersByTime(700);
    expect(send).toHaveBeenCalledTimes(2);
    pending.refused('id', 'not_allowed', undefined);
    const error = await done;
    expect(error).toBeInstanceOf(Refused);
    expect(error.code).toBe('not_allowed');
    vi.useRealTimers();
  });

  test('lines that must wait go out together in their order, and a new one does not overtake them', () => {
    vi.useFakeTimers();
    const pending = new PendingCommands('x', tabMemory, send);
    for (const id of ['a', 'b']) void pending.submit({ type: 'say', text: id, to: 'everyone' }, id);
    send.mockReset();
    pending.refused('a', 'unavailable', 1_000);
    vi.advanceTimersByTime(600);
    pending.refused('b', 'unavailable', 1_000);
    void pending.submit({ type: 'say', text: 'c', to: 'everyone' }, 'c');
    void pending.submit({ type: 'raise_hand' }, 'hand');
    expect(send.mock.calls.map(([{ id }]) => id)).toEqual(['hand']);
    vi.advanceTimersByTime(400);
    expect(send.mock.calls.map(([{ id }]) => id)).toEqual(['hand', 'a', 'b', 'c']);
    vi.advanceTimersByTime(5_000);
    expect(send).toHaveBeenCalledTimes(4);
    vi.useRealTimers();
  });

  test('lines and reports outlive a reload, a raised hand does not', () => {
    const before = new PendingCommands('x', tabMemory, send);
    before.submit({ type: 'say', text: 'a', to: 'teachers' }, 'id-a');
    before.submit({ type: 'raise_hand' }, 'id-b');
    before.submit({ type: 'report', note: 'n' }, 'id-c');
    const kept = new PendingCommands('x', tabMemory, send).restore();
    expect(kept.map(({ id }) => id)).toEqual(['id-a', 'id-c']);
  });

  test('a spoiled memory is an empty one', () => {
    sessionStorage.setItem('qism.pending.x', '{nonsense');
    expect(new PendingCommands('x', tabMemory, send).restore()).toEqual([]);
  });
});

describe('the session of a tab', () => {
  /** Locks of the whole browser, each held for ever. */
  function locks() {
    const held = new Set<string>();
    const request = (name: string, options: { signal: AbortSignal }, work: () => unknown) => {
      if (!held.has(name)) {
        held.add(name);
        work();
        return new Promise(() => undefined);
      }
      return new Promise((_, failed) => options.signal.addEventListener('abort', () => failed(options.signal.reason)));
    };
    return { request, held };
  }

  /** As a page that has just been loaded. */
  async function page() {
    vi.resetModules();
    return (await import('../src/signal/tab.ts')).tabSession;
  }

  test('is kept over a reload and new in a duplicated tab', async () => {
    sessionStorage.clear();
    const browser = locks();
    vi.stubGlobal('navigator', { locks: browser });
    const first = await (await page())('a');
    const duplicate = await (await page())('a');
    expect(duplicate).not.toBe(first);
    browser.held.clear();
    expect(await (await page())('a')).toBe(duplicate);
    vi.unstubAllGlobals();
  });

  test('is the same for as long as the page lives, and another for the next person', async () => {
    sessionStorage.clear();
    vi.stubGlobal('navigator', { locks: locks() });
    const tabSession = await page();
    const first = await tabSession('a');
    expect(await tabSession('a')).toBe(first);
    expect(await tabSession('b')).not.toBe(first);
    vi.unstubAllGlobals();
  });
});

describe('a storage that takes nothing', () => {
  const full = { getItem: () => 'old', setItem: refuse, removeItem: refuse } as unknown as Storage;
  function refuse(): never {
    throw new DOMException('no room', 'QuotaExceededError');
  }
  const forbidden = (): Storage => {
    throw new DOMException('not here', 'SecurityError');
  };

  test('is as good as one for as long as the page lives', () => {
    for (const storage of [() => full, forbidden]) {
      const memory = new Memory(storage);
      memory.remember('k', 'new');
      expect(memory.recall('k')).toBe('new');
      memory.remember('k', null);
      expect(memory.recall('k')).toBeNull();
    }
    expect(new Memory(() => full).recall('k')).toBe('old');
    expect(new Memory(forbidden).recall('k')).toBeNull();
  });

  test('keeps no chat line back', async () => {
    const send = vi.fn();
    const pending = new PendingCommands('x', new Memory(forbidden), send);
    const done = pending.submit({ type: 'say', text: 'a', to: 'everyone' }, 'id');
    expect(send).toHaveBeenCalledTimes(1);
    pending.accepted('id', 7);
    expect(await done).toBe(7);
  });
});
