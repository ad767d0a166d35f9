import type { ClientFrame, Command, Event, Logged, ServerFrame, Snapshot } from '../../src/protocol/generated.ts';

export const ME = '00000000-0000-7000-8000-000000000001';
export const TEACHER = '00000000-0000-7000-8000-000000000002';
export const LESSON = '00000000-0000-7000-8000-0000000000aa';
const NOBODY = '00000000-0000-7000-8000-000000000000';
const LINGER = 25;

/** A lesson's log and its rules of delivery, as far as a browser can tell: numbers, acknowledgements, resume, twice-sent commands. */
export class FakeServer {
  readonly log: Logged[] = [];
  readonly sockets: FakeSocket[] = [];
  readonly received: ClientFrame[] = [];
  /** Called for each command that is not known yet; a code refuses it. */
  refuse: (command: Command) => string | undefined = () => undefined;
  /** It stands still: connections are made and nothing is answered. */
  frozen = false;
  /** Events that the server forgot: resumes from before get a snapshot. */
  oldest = 0;

  append(event: Event, sender: string | null = null, command: string = crypto.randomUUID()): Logged {
    const number = this.log.length + 1;
    const logged = { number, chain: `c${number}`, at: 1_000 * number, sender, command, event };
    this.log.push(logged);
    for (const socket of this.sockets) socket.deliver({ type: 'event', ...logged });
    return logged;
  }

  frame(socket: FakeSocket, frame: ClientFrame): void {
    if (this.frozen) return;
    this.received.push(frame);
    if (frame.type === 'hello') this.#hello(socket, frame.position?.number);
    if (frame.type === 'command') this.#command(socket, frame.id, frame.command);
    if (frame.type === 'ping') socket.deliver({ type: 'pong', nonce: frame.nonce, server_time: 0 });
    if (frame.type === 'pull') {
      const lines = this.log.filter(({ event }) => event.type === 'said');
      socket.deliver({ type: 'chat_page', request: frame.request, lines, more: false });
    }
  }

  #hello(socket: FakeSocket, known: number | undefined): void {
    const resumes = known !== undefined && known >= this.oldest;
    const snapshot = resumes ? undefined : this.snapshot();
    socket.attached = true;
    socket.deliver({
      type: 'welcome',
      version: 1,
      user: ME,
      role: 'student',
      session: NOBODY,
      attach: 1,
      lesson: {
        lesson: LESSON,
        subject: { ar: 'ر', fr: 'm', en: 'm' },
        group: 'g',
        teacher: TEACHER,
        starts_at: 0,
        ends_at: 1,
      },
      people: [],
      server_time: 0,
      ...(snapshot && { snapshot }),
    });
    if (resumes) for (const logged of this.log.slice(known)) socket.deliver({ type: 'event', ...logged });
  }

  #command(socket: FakeSocket, id: string, command: Command): void {
    const known = this.log.find((logged) => logged.sender === ME && logged.command === id);
    const error = known ? undefined : this.refuse(command);
    if (error) socket.deliver({ type: 'refused', id, error: error as never, retry_after_ms: LINGER });
    else socket.deliver({ type: 'accepted', id, number: (known ?? this.#carryOut(id, command)).number });
  }

  #carryOut(id: string, command: Command): Logged {
    if (command.type === 'say') return this.append({ ...command, type: 'said', user: ME }, ME, id);
    return this.append({ type: 'hand_raised', user: ME }, ME, id);
  }

  snapshot(): Snapshot {
    const last = this.log.at(-1);
    return {
      position: { number: last?.number ?? 0, chain: last?.chain ?? 'c0' },
      phase: 'open',
      locked: false,
      chat: 'open',
      slow_mode_s: 0,
      participants: [],
      hands: [],
      kept_out: [],
      students_present: 0,
    };
  }

  /** The server goes down: everybody is told to move. */
  moveOut(): void {
    for (const socket of this.sockets) socket.deliver({ type: 'move', within_ms: 7_000 });
  }

  /** The line breaks: what was on its way to the browser never arrives. */
  cut(code = 1006): void {
    for (const socket of this.sockets.splice(0)) socket.end(code);
  }
}

/** A WebSocket whose frames arrive a little later, and not at all once it is cut. */
export class FakeSocket {
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static server: FakeServer;
  readyState = 0;
  attached = false;
  onopen: (() => void) | undefined;
  onmessage: ((message: { data: string }) => void) | undefined;
  onclose: ((close: { code: number }) => void) | undefined;

  constructor(readonly url: string) {
    FakeSocket.server.sockets.push(this);
    setTimeout(() => {
      if (this.readyState !== 0) return;
      this.readyState = 1;
      this.onopen?.();
    }, LINGER);
  }

  send(text: string): void {
    if (this.readyState === 1) setTimeout(() => this.#arrive(JSON.parse(text) as ClientFrame), LINGER);
  }

  /** What left before the cut may still arrive at the server: that is where doubles come from. */
  #arrive(frame: ClientFrame): void {
    if (frame.type === 'hello' && this.readyState !== 1) return;
    FakeSocket.server.frame(this, frame);
  }

  deliver(frame: ServerFrame): void {
    if (!this.attached && frame.type === 'event') return;
    setTimeout(() => {
      if (this.readyState === 1) this.onmessage?.({ data: JSON.stringify(frame) });
    }, LINGER);
  }

  end(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code });
  }

  close(): void {
    this.readyState = 3;
    const { sockets } = FakeSocket.server;
    const at = sockets.indexOf(this);
    if (at >= 0) sockets.splice(at, 1);
  }
}
