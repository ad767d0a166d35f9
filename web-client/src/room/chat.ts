import type { ErrorCode, Logged, Recipients } from '../protocol/generated.ts';

/** One line of the chat. */
export interface ChatLine {
  /** The command id: the same for the pending line and the one in the log. */
  key: string;
  /** Absent until it is in the log. */
  number: number | undefined;
  user: string;
  to: Recipients;
  /** `null` once deleted, or its writer was erased. */
  text: string | null;
  at: number;
  state: 'sent' | 'pending' | 'failed';
  failure: ErrorCode | undefined;
}

/** The chat as far as it has been read: older pages in front, pending lines behind. */
export interface ChatState {
  lines: readonly ChatLine[];
  /** Lines of this page that the log does not have yet. */
  pending: readonly ChatLine[];
  /** There are older lines on the server. */
  more: boolean;
}

export const EMPTY_CHAT: ChatState = { lines: [], pending: [], more: true };

/** The chat after the next event of the log. */
export function applyToChat(chat: ChatState, logged: Logged): ChatState {
  const { event } = logged;
  if (event.type === 'said') {
    const pending = chat.pending.filter(({ key }) => key !== logged.command);
    return { ...chat, pending, lines: merge(chat.lines, [lineOf(logged)]) };
  }
  if (event.type === 'line_deleted') {
    const lines = chat.lines.map((line) => (line.number === event.number ? { ...line, text: null } : line));
    return { ...chat, lines };
  }
  if (event.type === 'erased') {
    const lines = chat.lines.map((line) => (line.user === event.user ? { ...line, text: null } : line));
    return { ...chat, lines };
  }
  return chat;
}

/** An older page, oldest line first. */
export function addPage(chat: ChatState, page: readonly Logged[], more: boolean): ChatState {
  const lines = merge(chat.lines, page.map(lineOf));
  const known = new Set(lines.map(({ key }) => key));
  return { lines, pending: chat.pending.filter(({ key }) => !known.has(key)), more };
}

/** Each line once, in the order of the log. */
function merge(lines: readonly ChatLine[], more: readonly ChatLine[]): readonly ChatLine[] {
  const last = lines.at(-1)?.number ?? 0;
  if (more.every((line, i) => (line.number ?? 0) > (more[i - 1]?.number ?? last))) return [...lines, ...more];
  const byNumber = new Map([...more, ...lines].map((line) => [line.number, line]));
  return [...byNumber.values()].sort((a, b) => (a.number ?? 0) - (b.number ?? 0));
}

function lineOf({ number, command, at, event }: Logged): ChatLine {
  if (event.type !== 'said') throw new TypeError(`not a chat line: ${event.type}`);
  const { user, to, text } = event;
  return { key: command, number, user, to, text, at, state: 'sent', failure: undefined };
}

export function addPending(chat: ChatState, line: Omit<ChatLine, 'number' | 'state' | 'failure'>): ChatState {
  const pending: ChatLine = { ...line, number: undefined, state: 'pending', failure: undefined };
  return { ...chat, pending: [...chat.pending.filter(({ key }) => key !== line.key), pending] };
}

export function markPending(chat: ChatState, key: string, state: 'pending' | 'failed', failure?: ErrorCode): ChatState {
  const mark = (line: ChatLine): ChatLine => (line.key === key ? { ...line, state, failure } : line);
  return { ...chat, pending: chat.pending.map(mark) };
}

export function dropPending(chat: ChatState, key: string): ChatState {
  return { ...chat, pending: chat.pending.filter((line) => line.key !== key) };
}
