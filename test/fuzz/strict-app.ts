/**
 * An HTTP/1.1 server that takes nothing but what every reader reads alike: one framing, no folding, no bare line ends,
 * no spaces where they do not belong. It answers 200 and writes down what it was asked; the first doubt is `violation`.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP\/1\.1$/;
const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\u0020-\u007e\u0080-\u00ff]*)$/;
const chunkLine = /^([0-9a-fA-F]{1,8})$/;
const headBytesMax = 1 << 20;

export class StrictApp {
  /** Method and framing of each request since `begin`. */
  requests: string[] = [];
  violation = '';
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor() {
    this.server = createServer({ noDelay: true }, (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      const reader = new StrictReader(this, socket);
      socket.on('data', (bytes) => reader.push(bytes));
    });
  }

  begin(): void {
    this.requests = [];
    this.violation = '';
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const { port }: AddressInfo = Object.assign({ address: '', family: '', port: 0 }, this.server.address());
    return `127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  doubt(what: string): void {
    this.violation ||= what;
  }
}

class StrictReader {
  private readonly app: StrictApp;
  private readonly socket: Socket;
  private pending = '';
  /** Content still to come: a count, or -1 while it is chunked; null between requests. */
  private content: number | null = null;
  private inTrailers = false;
  private isHead = false;

  constructor(app: StrictApp, socket: Socket) {
    this.app = app;
    this.socket = socket;
  }

  push(bytes: Buffer): void {
    if (this.app.violation !== '') return;
    this.pending += bytes.toString('latin1');
    while (this.step());
    if (this.pending.length > headBytesMax) this.app.doubt('a head without end');
  }

  /** Whether there was enough to go on. */
  private step(): boolean {
    if (this.content === null) return this.head();
    if (this.content === -1) return this.chunk();
    const count = Math.min(this.content, this.pending.length);
    this.pending = this.pending.slice(count);
    this.content -= count;
    if (this.content > 0) return false;
    this.answer();
    return this.pending.length > 0;
  }

  private head(): boolean {
    const end = this.pending.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [first = '', ...lines] = this.pending.slice(0, end).split('\r\n');
    this.pending = this.pending.slice(end + 4);
    const request = requestLine.exec(first);
    if (request === null) return this.wrong(`the request line ${JSON.stringify(first)}`);
    const fields = new Map<string, string[]>();
    for (const line of lines) {
      const field = fieldLine.exec(line);
      if (field === null) return this.wrong(`the field ${JSON.stringify(line)}`);
      const name = (field[1] ?? '').toLowerCase();
      fields.set(name, [...(fields.get(name) ?? []), (field[2] ?? '').trimEnd()]);
    }
    const lengths = fields.get('content-length') ?? [];
    const codings = fields.get('transfer-encoding') ?? [];
    if (lengths.length + codings.length > 1)
      return this.wrong(`two framings: ${[...lengths, ...codings].join(' and ')}`);
    if ((fields.get('host') ?? []).length !== 1) return this.wrong(`${(fields.get('host') ?? []).length} Host fields`);
    const [length, coding] = [lengths[0], codings[0]];
    if (length !== undefined && !/^\d{1,15}$/.test(length))
      return this.wrong(`content-length ${JSON.stringify(length)}`);
    if (coding !== undefined && coding !== 'chunked') return this.wrong(`transfer-encoding ${JSON.stringify(coding)}`);
    const method = request[1] ?? '';
    this.isHead = method === 'HEAD';
    this.app.requests.push(`${method} ${coding ?? (length === undefined ? 'none' : 'length')}`);
    this.content = coding !== undefined ? -1 : Number(length ?? 0);
    return true;
  }

  private chunk(): boolean {
    const end = this.pending.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.pending.slice(0, end);
    if (this.inTrailers) {
      this.pending = this.pending.slice(end + 2);
      if (line !== '' && !fieldLine.test(line)) return this.wrong(`the trailer ${JSON.stringify(line)}`);
      if (line !== '') return true;
      this.inTrailers = false;
      this.answer();
      return this.pending.length > 0;
    }
    const size = chunkLine.exec(line);
    if (size === null) return this.wrong(`the chunk size ${JSON.stringify(line)}`);
    const count = Number.parseInt(size[1] ?? '', 16);
    if (count === 0) {
      this.pending = this.pending.slice(end + 2);
      this.inTrailers = true;
      return true;
    }
    if (this.pending.length < end + 2 + count + 2) return false;
    if (this.pending.slice(end + 2 + count, end + 4 + count) !== '\r\n')
      return this.wrong('a chunk that is not over at its end');
    this.pending = this.pending.slice(end + 4 + count);
    return true;
  }

  private answer(): void {
    this.content = null;
    this.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${this.isHead ? '' : 'ok'}`);
  }

  private wrong(what: string): false {
    this.app.doubt(what);
    this.socket.destroy();
    return false;
  }
}
