import { ticket } from '../school/api.ts';

type Ticket = Awaited<ReturnType<typeof ticket>>;

/** A ticket is good for 30 s. */
const TICKET_MS = 20_000;
/** The server closes a socket over which nothing is said for 10 s: the next one opens before. */
const SOCKET_MS = 6_000;
/** Who looks at the door for longer waits a little longer behind it. */
const PATIENCE_MS = 30_000;

/**
 * The way to a lesson while its door is looked at: a ticket, and a socket over which nothing is said yet, so that a tap on *join* says
 * hello at once. On a slow network that is most of the wait. Nothing of it is seen by anybody: who does not come in was never there.
 */
export class Approach {
  readonly lesson: string;
  readonly session: Promise<string>;
  readonly #until = Date.now() + PATIENCE_MS;
  #ticket: { at: number; answer: Promise<Ticket | undefined> } | undefined;
  /** The newest first. */
  #sockets: WebSocket[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(lesson: string, session: Promise<string>) {
    this.lesson = lesson;
    this.session = session;
    void this.#renew();
  }

  /** The ticket that is there, or on its way, once; `undefined`: ask for one, and hear from that what is wrong. */
  async ticket(): Promise<Ticket | undefined> {
    const known = this.#ticket;
    this.#ticket = undefined;
    clearTimeout(this.#timer);
    return known && Date.now() - known.at < TICKET_MS ? known.answer : undefined;
  }

  /** The socket that is open there, or opens, once; the way ends with it. */
  socket(url: string): WebSocket | undefined {
    const usable = this.#sockets.filter((it) => it.url === url && it.readyState <= WebSocket.OPEN);
    const taken = usable.find((it) => it.readyState === WebSocket.OPEN) ?? usable[0];
    this.#sockets = this.#sockets.filter((it) => it !== taken);
    this.end();
    return taken;
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  async #renew(): Promise<void> {
    const session = await this.session;
    const now = Date.now();
    if (this.#ended || now > this.#until || document.hidden) return;
    if (!this.#ticket || now - this.#ticket.at > TICKET_MS - SOCKET_MS)
      this.#ticket = { at: now, answer: ticket(this.lesson, session).catch(() => undefined) };
    const { answer } = this.#ticket;
    const socket = (await answer)?.socket;
    if (this.#ended || socket === undefined) return;
    // The one before may still be the only open one.
    for (const old of this.#sockets.splice(1)) old.close();
    this.#sockets.unshift(new WebSocket(socketUrl(socket)));
    this.#timer = setTimeout(() => void this.#renew(), SOCKET_MS);
  }
}

/** The address of the socket that a ticket names. */
export function socketUrl(path: string): string {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
