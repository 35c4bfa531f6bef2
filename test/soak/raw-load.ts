/**
 * Clients that are less well-behaved than grpc-js: HTTP/2 sessions that reset, say GOAWAY and vanish, rubbish, half a
 * preface; and HTTP/1.1 with and without keep-alive.
 */
import http from 'node:http';
import http2 from 'node:http2';
import { connect } from 'node:net';
import type { Random } from '../../proto/kernel/random.ts';
import { prefaceText } from '../../sidecar/http2/constants.ts';
import type { Tally } from './tally.ts';

const tickMs = 200;
const ticksPerSession = 20;
const requestMs = 20_000;

export interface RawAddresses {
  /** Takes calls by authority. */
  readonly outbound: string;
  readonly inbound: string;
  readonly http1Authority: string;
  readonly http2Authority: string;
}

export class RawLoad {
  private readonly addresses: RawAddresses;
  private readonly tally: Tally;
  private readonly random: Random;
  private readonly agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  private session: http2.ClientHttp2Session | null = null;
  private ticker: NodeJS.Timeout | null = null;
  private ticks = 0;

  constructor(addresses: RawAddresses, tally: Tally, random: Random) {
    this.addresses = addresses;
    this.tally = tally;
    this.random = random;
  }

  start(): void {
    this.ticker = setInterval(() => this.tick(), tickMs);
  }

  stop(): void {
    if (this.ticker !== null) clearInterval(this.ticker);
    this.ticker = null;
  }

  close(): void {
    this.session?.destroy();
    this.session = null;
    this.agent.destroy();
  }

  private tick(): void {
    const { tally, ticks } = this;
    this.ticks++;
    for (const path of ['/small', '/big', '/closing'])
      tally.start(`http1 GET ${path}`, () => this.http1('GET', path, 0));
    tally.start('http1 POST', () => this.http1('POST', '/echo', 30_000));
    if (ticks % ticksPerSession === 0) this.renewSession();
    const { session } = this;
    if (session !== null) {
      tally.start('http2 reset', () => this.reset(session));
      tally.start('http2 GET', () => this.http2Get(session));
    }
    const address = ticks % 2 === 0 ? this.addresses.inbound : this.addresses.outbound;
    if (ticks % 5 === 0) tally.start('rubbish', () => this.rubbish(address, this.noise()));
    if (ticks % 5 === 1)
      tally.start('half a preface', () => this.rubbish(address, Buffer.from(prefaceText.slice(0, 12))));
    if (ticks % 5 === 2) {
      const settings = Buffer.from('000000040000000000', 'hex');
      const head = Buffer.from('000020010500000001', 'hex');
      tally.start('half a frame', () =>
        this.rubbish(address, Buffer.concat([Buffer.from(prefaceText), settings, head])),
      );
    }
  }

  /** The old one says GOAWAY or simply goes. */
  private renewSession(): void {
    const old = this.session;
    if (old !== null) {
      if (this.random.next() < 0.5) old.close();
      else old.destroy();
    }
    const session = http2.connect(`http://${this.addresses.outbound}`);
    session.on('error', () => session.destroy());
    session.setTimeout(requestMs, () => session.destroy());
    this.session = session;
  }

  private request(session: http2.ClientHttp2Session, path: string): http2.ClientHttp2Stream {
    return session.request({ ':path': path, ':authority': this.addresses.http2Authority });
  }

  private http2Get(session: http2.ClientHttp2Session): Promise<'ok' | 'broken'> {
    return new Promise((resolve, reject) => {
      const stream = this.request(session, '/big');
      let status = 0;
      let reason = '';
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
        reason = String(headers['weir-reason'] ?? '');
      });
      stream.resume();
      stream.on('error', () => {});
      // The session may have gone meanwhile: that is the point of it.
      stream.on('close', () => {
        if (session.destroyed || session.closed) resolve('broken');
        else if (status === 200) resolve('ok');
        else reject(new Error(`status ${status} ${reason}, code ${stream.rstCode}`));
      });
    });
  }

  private reset(session: http2.ClientHttp2Session): Promise<'broken'> {
    return new Promise((resolve) => {
      const stream = this.request(session, '/big');
      stream.on('error', () => {});
      stream.on('close', () => resolve('broken'));
      stream.on('response', () => stream.close(http2.constants.NGHTTP2_CANCEL));
    });
  }

  private http1(method: string, path: string, bytes: number): Promise<'ok'> {
    const [host, port] = this.addresses.outbound.split(':');
    return new Promise((resolve, reject) => {
      const headers = { host: this.addresses.http1Authority };
      const request = http.request({ host, port, method, path, headers, agent: this.agent }, (response) => {
        let received = 0;
        response.on('data', (part: Buffer) => {
          received += part.length;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
          else if (bytes > 0 && received !== bytes) reject(new Error(`${received} of ${bytes} bytes`));
          else resolve('ok');
        });
      });
      request.setTimeout(requestMs, () => request.destroy(new Error('no answer')));
      request.on('error', reject);
      request.end(Buffer.alloc(bytes));
    });
  }

  private noise(): Buffer {
    return Buffer.from(Array.from({ length: 100 }, () => Math.floor(this.random.next() * 256)));
  }

  /** Whatever it makes of it, the connection has to end. */
  private rubbish(address: string, bytes: Buffer): Promise<'broken'> {
    const [host, port] = address.split(':');
    return new Promise((resolve) => {
      const socket = connect(Number(port), host);
      socket.on('error', () => {});
      socket.on('close', () => resolve('broken'));
      socket.resume();
      socket.write(bytes);
      setTimeout(() => (this.random.next() < 0.5 ? socket.end() : socket.resetAndDestroy()), 300);
      setTimeout(() => socket.destroy(), requestMs).unref();
    });
  }
}
