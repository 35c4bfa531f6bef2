/**
 * The quick form of `npm run conformance`, which needs no tool of others: what a proxy can get wrong about HTTP/2, as
 * node:http2, fetch and grpc-js see it. Where h2spec is on this machine, it runs as well.
 */
import http2 from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { ErrorCode, Flag, FrameType } from '../../sidecar/http2/constants.ts';
import { h2specCases } from '../conformance/h2spec.ts';
import { negativeCases, type Proxied } from '../conformance/negative-cases.ts';
import { absent, findPeer } from '../conformance/peers.ts';
import { type ScriptedConnection, ScriptedServer } from '../support/scripted-server.ts';
import { startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { frame } from '../support/wire.ts';

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startFront(app: string, ...more: string[]): Promise<Proxied & { drain(): void }> {
  const sidecar = await startSidecar({ argv: ['--app', app, ...more] });
  return { address: sidecar.inbound, stop: () => sidecar.stop(), drain: () => sidecar.sidecar.drain() };
}

async function startPair(app: string): Promise<Proxied> {
  const callee = await startFront(app);
  const caller = await startSidecar({
    argv: ['--endpoint', `test/app=${callee.address}`, '--authority', '127.0.0.1=test/app'],
  });
  return { address: caller.outbound, stop: async () => void (await Promise.all([caller.stop(), callee.stop()])) };
}

async function scripted(onRequest: (connection: ScriptedConnection, streamId: number) => void): Promise<string> {
  const server = new ScriptedServer({ onRequest });
  const address = await server.listen();
  cleanUps.push(() => server.close());
  return address;
}

async function front(app: string, ...more: string[]): Promise<Proxied & { drain(): void }> {
  const proxy = await startFront(app, ...more);
  cleanUps.push(() => proxy.stop());
  return proxy;
}

function connect(address: string): http2.ClientHttp2Session {
  const session = http2.connect(`http://${address}`);
  session.on('error', () => {});
  cleanUps.push(() => session.destroy());
  return session;
}

interface Seen {
  status: number;
  bytes: number;
  error: string;
  trailers: http2.IncomingHttpHeaders | null;
}

function request(session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders = {}): Promise<Seen> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/', ...headers });
    const seen: Seen = { status: 0, bytes: 0, error: '', trailers: null };
    stream.on('response', (fields) => {
      seen.status = Number(fields[':status']);
    });
    stream.on('data', (chunk: Buffer) => {
      seen.bytes += chunk.length;
    });
    stream.on('trailers', (fields) => {
      seen.trailers = fields;
    });
    stream.on('error', (error) => {
      seen.error = error.message;
    });
    stream.on('close', () => resolve(seen));
    stream.end();
  });
}

describe('gRPC, when the server misbehaves', () => {
  test.each(negativeCases.map((negative) => [negative.name, negative] as const))('%s', (_name, negative) =>
    negative.run(startPair),
  );
});

describe('A truncated answer', () => {
  const head = (connection: ScriptedConnection, id: number, block = '88'): void =>
    connection.send(frame(FrameType.headers, Flag.endHeaders, id, block));
  const data = (connection: ScriptedConnection, id: number, flags = 0): void =>
    connection.send(frame(FrameType.data, flags, id, 'aabb'));
  const begin = (connection: ScriptedConnection, id: number): void => {
    head(connection, id);
    data(connection, id);
  };
  const ways: Readonly<Record<string, (connection: ScriptedConnection, id: number) => void>> = {
    'GOAWAY and the end of the connection': (connection, id) => {
      begin(connection, id);
      connection.goaway(id);
      connection.socket.end();
    },
    'the end of the connection': (connection, id) => {
      begin(connection, id);
      connection.socket.end();
    },
    'a connection that is reset': (connection, id) => {
      begin(connection, id);
      setImmediate(() => connection.socket.resetAndDestroy());
    },
    'a connection error of the upstream': (connection, id) => {
      begin(connection, id);
      connection.send(frame(FrameType.data, 0, 0, '00'));
    },
    'less content than content-length': (connection, id) => {
      head(connection, id, '885c0135');
      data(connection, id, Flag.endStream);
    },
    'trailers before all content': (connection, id) => {
      head(connection, id, '885c0135');
      data(connection, id);
      connection.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, id, '5f0161'));
    },
    ...Object.fromEntries(
      Object.entries(ErrorCode).map(([name, code]) => [
        `RST_STREAM ${name}`,
        (connection: ScriptedConnection, id: number): void => {
          begin(connection, id);
          connection.reset(id, code);
        },
      ]),
    ),
  };

  test.each(Object.entries(ways))('by %s never ends cleanly, for HTTP/2 or HTTP/1.1', async (_name, way) => {
    const proxy = await front(await scripted(way), '--app-protocol', 'http2');
    const seen = await request(connect(proxy.address));
    // Before or after the head: an error, or a status that says so.
    expect(seen.error !== '' || seen.status >= 500, JSON.stringify(seen)).toBe(true);
    const overHttp1 = await fetch(`http://${proxy.address}/`).then(
      async (response) =>
        response.status >= 500 ||
        (await response.text().then(
          () => false,
          () => true,
        )),
      () => true,
    );
    expect(overHttp1).toBe(true);
  });
});

describe('An answer', () => {
  async function origin(onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void) {
    const server = http2.createServer({ settings: { enableConnectProtocol: true } });
    server.on('stream', onStream);
    server.on('sessionError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => server.close());
    const at = server.address();
    if (at === null || typeof at === 'string') throw new Error('the origin has no port');
    return `127.0.0.1:${at.port}`;
  }

  test('is preceded by the 1xx heads of its upstream', async () => {
    const proxy = await front(
      await origin((stream) => {
        stream.additionalHeaders({ ':status': 103, link: '</a>' });
        stream.respond({ ':status': 200 });
        stream.end('x');
      }),
    );
    const stream = connect(proxy.address).request({ ':path': '/' });
    const early: unknown[] = [];
    stream.on('headers', (fields) => early.push([fields[':status'], fields.link]));
    const status = await new Promise((resolve) => stream.on('response', (fields) => resolve(fields[':status'])));
    expect([early, status]).toEqual([[[103, '</a>']], 200]);
  });

  test.each([
    ['HEAD', 200],
    ['GET', 304],
    ['GET', 204],
  ])('to %s with status %i may name a length and have no content', async (method, status) => {
    const proxy = await front(
      await scripted((connection, id) => {
        const block = { 200: '88', 204: '89', 304: '8b' }[status] ?? '';
        const length = status === 204 ? '' : '5c0135';
        connection.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, id, `${block}${length}`));
      }),
    );
    expect(await request(connect(proxy.address), { ':method': method })).toMatchObject({ status, bytes: 0, error: '' });
  });

  test('ends with its trailers, also behind an empty DATA frame', async () => {
    const proxy = await front(
      await scripted((connection, id) => {
        connection.send(frame(FrameType.headers, Flag.endHeaders, id, '88'));
        connection.send(frame(FrameType.data, 0, id));
        connection.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, id, '0001780179'));
      }),
    );
    const seen = await request(connect(proxy.address));
    expect(seen).toMatchObject({ status: 200, error: '', trailers: { x: 'y' } });
  });

  test('to an extended CONNECT opens a tunnel of bytes, half-close included', async () => {
    const proxy = await front(
      await origin((stream, headers) => {
        stream.respond({ ':status': 200, 'x-protocol': String(headers[':protocol']) });
        stream.on('data', (chunk: Buffer) => stream.write(chunk));
        stream.on('end', () => stream.end('bye'));
      }),
    );
    const session = connect(proxy.address);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' });
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const fields = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.on('response', resolve));
    expect([fields[':status'], fields['x-protocol']]).toEqual([200, 'websocket']);
    stream.write('hello ');
    await until(() => text === 'hello ', { what: 'the echo' });
    stream.end();
    await until(() => text === 'hello bye', { what: 'the other end' });
  });

  test('to an extended CONNECT that the upstream does not offer is 501, to a plain CONNECT 405', async () => {
    const proxy = await front(await scripted((connection, id) => connection.answer(id)));
    const session = connect(proxy.address);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    const extended = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', ':scheme': 'http' };
    expect((await request(session, extended)).status).toBe(501);
    const plain = session.request({ ':method': 'CONNECT', ':authority': 'elsewhere:443' });
    plain.on('error', () => {});
    expect(await new Promise((resolve) => plain.on('response', (fields) => resolve(fields[':status'])))).toBe(405);
  });
});

describe('A drain', () => {
  test('lets what is under way and what crossed with it finish, then closes', async () => {
    const waiting: (() => void)[] = [];
    const proxy = await front(await scripted((connection, id) => waiting.push(() => connection.answer(id))));
    const session = connect(proxy.address);
    const first = request(session);
    await until(() => waiting.length === 1, { what: 'the first request at the app' });
    // Both in one turn: the second request is on its way when the GOAWAY comes.
    const second = request(session);
    proxy.drain();
    await until(() => waiting.length === 2, { what: 'the second request at the app' });
    const closed = new Promise((resolve) => session.once('close', resolve));
    for (const answer of waiting) answer();
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    await closed;
  });
});

describe('h2spec', () => {
  const h2spec = findPeer('h2spec');
  if (h2spec === null) console.warn(`No h2spec here: it is not run (${absent('h2spec').howToGet}).`);
  test.skipIf(h2spec === null)(
    'finds nothing, strict, where it is installed',
    async () => {
      const proxy = await front(
        await scripted((connection, id) => {
          connection.send(frame(FrameType.headers, Flag.endHeaders, id, '88'));
          connection.send(frame(FrameType.data, Flag.endStream, id, Buffer.alloc(16, 'x')));
        }),
      );
      const cases = await h2specCases(h2spec ?? '', proxy.address, ['-S']);
      expect(cases.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
      expect(cases.length).toBeGreaterThanOrEqual(146);
    },
    60_000,
  );
});
