/**
 * The pool of upstream connections against servers that behave as the worst ones do: every promise of the pool is that
 * no request fails, waits for ever or finds a limit of the peer broken, whatever the server does with its connections.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { Protocol } from '../../sidecar/exchange/http-stream.ts';
import { FrameType } from '../../sidecar/http2/constants.ts';
import { HeaderList } from '../../sidecar/http2/hpack/field.ts';
import { type ConnectionLimits, defaultLimits, retireAtStreamId } from '../../sidecar/http2/limits.ts';
import { ResetCause } from '../../sidecar/http2/stream.ts';
import type { PoolSettings } from '../../sidecar/io/upstream/endpoint-connections.ts';
import { UpstreamPool } from '../../sidecar/io/upstream/pool.ts';
import { requestThrough } from '../support/pool-rig.ts';
import { type ScriptedConnection, type ScriptedOptions, ScriptedServer } from '../support/scripted-server.ts';
import { until } from '../support/until.ts';
import { frame } from '../support/wire.ts';

/** Of a type that nobody knows. */
const oddFrames = Buffer.concat(Array.from({ length: 8 }, () => frame(0x42, 0, 0)));

let pool: UpstreamPool;
let server: ScriptedServer;

afterEach(async () => {
  pool.close();
  await server.close();
});

async function start(
  options: ScriptedOptions,
  settings: Partial<PoolSettings> = {},
  limits: Partial<ConnectionLimits> = {},
): Promise<string> {
  pool = new UpstreamPool({ settings: { tickMs: 10, ...settings }, limits: { ...defaultLimits, ...limits } });
  server = new ScriptedServer(options);
  return server.listen();
}

/** `total` requests, `atOnce` of them at a time; how often each ending was seen. */
async function load(address: string, total: number, atOnce: number): Promise<Record<string, number>> {
  const endings: Record<string, number> = {};
  let left = total;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const ending = await requestThrough(pool, address);
      endings[ending] = (endings[ending] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return endings;
}

describe('connections are opened by need', () => {
  test('one goes ahead, and no stream is opened before its SETTINGS came', async () => {
    const address = await start({ greets: false });
    const answers = load(address, 500, 500);
    const first = await until(() => server.connections[0], { what: 'a connection' });
    await until(() => first.types.includes(FrameType.windowUpdate), { what: 'the preface is complete' });
    expect([server.connections.length, first.requests.length]).toEqual([1, 0]);
    first.greet(100);
    await until(() => server.connections.length === 5, { what: 'as many as the other 400 need' });
    for (const connection of server.connections.slice(1)) connection.greet(100);
    expect(await answers).toEqual({ 200: 500 });
    expect(server.connections.length).toBe(5);
  });

  test("the peer's MAX_CONCURRENT_STREAMS is never exceeded, and 100 never, whatever the peer allows", async () => {
    for (const streamsMax of [3, 1000]) {
      let atOnceMax = 0;
      const open = new Map<ScriptedConnection, number>();
      const address = await start({
        streamsMax,
        onRequest: (connection, streamId) => {
          open.set(connection, (open.get(connection) ?? 0) + 1);
          atOnceMax = Math.max(atOnceMax, open.get(connection) ?? 0);
          setImmediate(() => {
            open.set(connection, (open.get(connection) ?? 0) - 1);
            connection.answer(streamId);
          });
        },
      });
      expect(await load(address, 1000, 120)).toEqual({ 200: 1000 });
      expect(atOnceMax).toBe(Math.min(streamsMax, 100));
      pool.close();
      await server.close();
    }
  });

  test('requests one after another share one connection', async () => {
    const address = await start({});
    expect(await load(address, 300, 1)).toEqual({ 200: 300 });
    expect(server.connections.length).toBe(1);
  });

  test('what is idle is closed with a GOAWAY, and the next request opens another', async () => {
    const address = await start({}, { idleTimeoutMs: 50 });
    await load(address, 200, 150);
    expect(server.connections.length).toBe(2);
    await until(() => server.openCount === 0, { what: 'both are closed' });
    expect(server.connections.map(({ types }) => types.at(-1))).toEqual([FrameType.goaway, FrameType.goaway]);
    await until(() => pool.view().length === 0, { what: 'the pool forgets the endpoint' });
    expect(await requestThrough(pool, address)).toBe('200');
  });
});

describe('a connection that ends is replaced', () => {
  test('when its endpoint is gone it ends with its last request, and one that comes back gets another', async () => {
    const address = await start({ onRequest: () => {} });
    const held = requestThrough(pool, address);
    const first = await until(() => server.connections[0], { what: 'a connection' });
    await until(() => first.requests.length === 1, { what: 'the request' });
    pool.leave(address);
    await until(() => first.types.includes(FrameType.goaway), { what: 'a GOAWAY' });
    const next = requestThrough(pool, address);
    const second = await until(() => server.connections[1], { what: 'another connection' });
    await until(() => second.requests.length === 1, { what: 'the next request' });
    for (const connection of [first, second]) connection.answer(1);
    expect(await Promise.all([held, next])).toEqual(['200', '200']);
    await until(() => first.socket.destroyed, { what: 'the first is closed' });
    expect(pool.counts).toEqual({ connected: 2, failed: 0, lost: 0, refused: 0 });
  });

  test('GOAWAY every 20 requests under load fails not one of 5,000', async () => {
    const address = await start({
      onRequest: (connection, streamId) => {
        const number = connection.requests.length;
        if (number > 20) return;
        connection.answer(streamId);
        if (number === 20) connection.goaway(streamId);
      },
    });
    expect(await load(address, 5000, 64)).toEqual({ 200: 5000 });
    expect(pool.counts).toMatchObject({ failed: 0, lost: 0, refused: 0 });
    expect(server.connections.length).toBeGreaterThanOrEqual(250);
    await until(() => server.openCount <= 2, { what: 'those that were told to go are closed' });
  });

  test('requests that wait move to another connection when theirs is told to go', async () => {
    const address = await start({
      streamsMax: 1,
      onRequest: (connection, streamId) => {
        connection.answer(streamId);
        connection.goaway(streamId);
      },
    });
    expect(await load(address, 200, 40)).toEqual({ 200: 200 });
    expect(server.connections.length).toBe(200);
  });

  test('one that has used three quarters of its stream ids is retired, and no request notices', async () => {
    const address = await start({});
    expect(await requestThrough(pool, address)).toBe('200');
    pool.connect(address, Protocol.http2, 2000, {
      onConnection: (connection) => {
        const table: unknown = Reflect.get(connection, 'table');
        if (typeof table !== 'object' || table === null) throw new Error('the connection has no table of streams');
        Reflect.set(table, 'nextId', retireAtStreamId - 4);
      },
      onConnectFailed: () => {},
    });
    expect(await load(address, 10, 1)).toEqual({ 200: 10 });
    expect(server.connections.map(({ requests }) => requests)).toEqual([
      [1, retireAtStreamId - 4, retireAtStreamId - 2],
      [1, 3, 5, 7, 9, 11, 13, 15],
    ]);
    await until(() => server.openCount === 1, { what: 'the retired one is closed' });
  });

  test('one whose peer is too odd is replaced before its limit ends it', async () => {
    const address = await start(
      {
        onRequest: (connection, streamId) => {
          connection.answer(streamId);
          if (server.connections.length === 1) connection.send(oddFrames);
        },
      },
      {},
      { glitchesMax: 10 },
    );
    expect(await load(address, 20, 1)).toEqual({ 200: 20 });
    await until(() => server.connections[0]?.socket.destroyed, { what: 'the odd one is closed' });
    expect(server.connections.length).toBe(2);
  });

  test('a server that greets and goes is not stormed, and those who wait are told', async () => {
    const address = await start({ onConnection: (connection) => connection.goaway(0) });
    const endings = await load(address, 50, 50);
    expect(endings).toEqual({ 'upstream_connect: the peer takes no streams': 50 });
    expect(server.connections.length).toBeLessThanOrEqual(3);
  });
});

describe('what cannot be reached', () => {
  test('fails those who wait, leaves the endpoint alone for a moment, and finds it again', async () => {
    const address = await start({});
    await server.close();
    const endings = await load(address, 20, 20);
    expect(endings).toEqual({ [`upstream_connect: connect ECONNREFUSED ${address}`]: 20 });
    expect(await requestThrough(pool, address)).toMatch(/ECONNREFUSED .*; the next attempt is in \d+ ms$/);
    expect(pool.counts).toMatchObject({ connected: 0, failed: 1 });
    await server.listen(server.port);
    await until(async () => (await requestThrough(pool, address)) === '200', { what: 'it is found again' });
  });

  test('a server that takes the connection and says nothing is given up in time', async () => {
    const address = await start({ greets: false });
    expect(await requestThrough(pool, address, 60)).toBe('upstream_connect: no HTTP/2 SETTINGS in time');
  });

  test('a server that speaks HTTP/1.1 only is no upstream for HTTP/2', async () => {
    const address = await start({
      greets: false,
      onConnection: ({ socket }) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    });
    expect(await requestThrough(pool, address)).toMatch(/^upstream_connect: /);
  });
});

describe('who waits', () => {
  test('is bounded: the next is refused at once', async () => {
    const address = await start({ greets: false }, { waitersMax: 5 });
    const waiting = Array.from({ length: 5 }, () => requestThrough(pool, address));
    expect(await requestThrough(pool, address)).toBe(
      `queue_full: 5 requests wait for a connection to ${address} already`,
    );
    server.connections[0]?.greet();
    await until(() => server.connections.length === 1, { what: 'a connection' });
    server.connections[0]?.greet();
    expect(await Promise.all(waiting)).toEqual(Array(5).fill('200'));
  });

  test('does not wait for ever for a peer that allows no streams', async () => {
    const address = await start({ streamsMax: 0 }, { waitMaxMs: 50 });
    expect(await requestThrough(pool, address)).toBe(
      `queue_timeout: no room on the connections to ${address} in 50 ms`,
    );
    expect(server.connections.length).toBe(1);
  });

  test('gets what it needs once a peer that took no streams takes some', async () => {
    const address = await start({ streamsMax: 0 });
    const answers = load(address, 40, 40);
    const first = await until(() => server.connections[0], { what: 'a connection' });
    await until(() => pool.view()[0]?.waiting === 40, { what: 'all wait' });
    first.greet(10);
    await until(() => server.connections.length === 4, { what: 'the connections for the other 30' });
    for (const connection of server.connections.slice(1)) connection.greet(10);
    expect(await answers).toEqual({ 200: 40 });
  });

  test('hears nothing after it cancelled', async () => {
    const address = await start({ greets: false });
    const heard: string[] = [];
    const waiter = { onConnection: () => heard.push('connection'), onConnectFailed: () => heard.push('failed') };
    pool.connect(address, Protocol.http2, 2000, waiter);
    const other = requestThrough(pool, address);
    pool.cancel(address, Protocol.http2, waiter);
    const first = await until(() => server.connections[0], { what: 'a connection' });
    first.greet();
    expect(await other).toBe('200');
    expect(heard).toEqual([]);
  });

  test('is told when the pool closes, and idle connections end with a GOAWAY', async () => {
    const address = await start({ streamsMax: 1, onRequest: () => {} });
    const held = requestThrough(pool, address);
    await until(() => server.requestCount === 1, { what: 'the request arrived' });
    const silent = new ScriptedServer({ greets: false });
    const waiting = requestThrough(pool, await silent.listen());
    const idle = new ScriptedServer({});
    expect(await requestThrough(pool, await idle.listen())).toBe('200');
    pool.close();
    expect(await waiting).toBe('draining: the proxy is stopping');
    expect(await held).toMatch(/^reset /);
    await until(() => idle.openCount + server.openCount + silent.openCount === 0, { what: 'all sockets are closed' });
    expect(idle.connections[0]?.types.at(-1)).toBe(FrameType.goaway);
    await Promise.all([silent.close(), idle.close()]);
  });
});

describe('a peer that is silent', () => {
  const pulse = { silenceMs: 60, timeoutMs: 60, againMs: 60_000 };

  test('is asked by one PING, and left alone while it answers', async () => {
    const address = await start({ onRequest: () => {} }, { pulse });
    const held = requestThrough(pool, address);
    const connection = await until(() => server.connections[0], { what: 'a connection' });
    await until(() => connection.pings === 1, { what: 'a PING' });
    // Several silences later: the first answer is enough for a long time.
    const seenMs = performance.now();
    await until(() => performance.now() - seenMs > 4 * (pulse.silenceMs + pulse.timeoutMs), {
      what: 'time has passed',
    });
    expect([connection.pings, connection.socket.destroyed]).toEqual([1, false]);
    connection.answer(1);
    expect(await held).toBe('200');
  });

  test('and answers no PING loses its connection, and the next request gets another', async () => {
    const address = await start({ onRequest: () => {}, answersPings: false }, { pulse });
    expect(await requestThrough(pool, address)).toBe(`reset 8 cause ${ResetCause.connection}`);
    const asked = (): boolean => {
      void requestThrough(pool, address);
      return server.connections.length === 2;
    };
    await until(asked, { what: 'another connection' });
  });

  test('is not asked while it owes nothing', async () => {
    const address = await start({}, { pulse });
    expect(await load(address, 3, 1)).toEqual({ 200: 3 });
    const seenMs = performance.now();
    await until(() => performance.now() - seenMs > 4 * pulse.silenceMs, { what: 'time has passed' });
    expect(server.connections.map(({ pings }) => pings)).toEqual([0]);
  });
});

describe('a connection that is stalled', () => {
  test('holds up nobody else: a spare is dialled and used', async () => {
    const address = await start({
      onConnection: (connection) => {
        // The first takes streams and credit for gigabytes, but stops reading its socket.
        if (server.connections.length > 1) return;
        connection.send(Buffer.from('00000408000000000040000000', 'hex'));
      },
      onRequest: (connection, streamId) => connection.answer(streamId),
    });
    expect(await requestThrough(pool, address)).toBe('200');
    const [first] = server.connections;
    first?.socket.pause();
    const upload = HeaderList.of([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/upload'],
      [':authority', 'test'],
    ]);
    const ignore = { onHeaders: () => {}, onData: () => {}, onTrailers: () => {}, onReset: () => {} };
    const content = Buffer.alloc(16_384);
    const fill = (): void =>
      pool.connect(address, Protocol.http2, 2000, {
        onConnection: (connection) => {
          const stream = connection.request(upload, false, ignore);
          for (let sent = 0; sent < 65_535; sent += content.length) stream.sendData(content, 0, content.length, false);
        },
        onConnectFailed: () => {},
      });
    for (let i = 0; i < 90; i++) fill();
    // The kernel's buffers are full once this is not 0; those of loopback take some megabytes.
    await until(() => pool.bufferedBytes > 0, { what: 'the socket is blocked' });
    const spareOrFill = (): boolean => {
      if (server.connections.length < 2) fill();
      return server.connections.length === 2;
    };
    await until(spareOrFill, { what: 'a spare', intervalMs: 20 });
    await until(async () => (await requestThrough(pool, address)) === '200', { what: 'an answer by the spare' });
    expect(server.connections[1]?.requests.length).toBeGreaterThan(0);
  });
});
