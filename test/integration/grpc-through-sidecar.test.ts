/**
 * Real gRPC clients and servers through a real sidecar: every kind of call, and what a proxy can get wrong about them.
 */
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EchoClient, type EchoService, echoClient, spreadChunks, startEcho } from '../support/echo-service.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

let echo: EchoService;
let sidecar: RunningSidecar;
let client: EchoClient;

async function start(policy?: string): Promise<void> {
  sidecar = await startSidecar({
    argv: ['--service', 'shop/echo', '--app', echo.address, '--endpoint', `shop/echo=${echo.address}`],
    ...(policy === undefined ? {} : { policy }),
  });
  client = echoClient(sidecar.inbound);
}

const policy = (spec: string): string =>
  `apiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: echo, namespace: shop }\nspec:\n  target: { service: echo }\n${spec}`;

interface Reply {
  data: Buffer;
  head: grpc.Metadata;
  trailers: grpc.Metadata;
}

function unary(
  data: Buffer,
  metadata = new grpc.Metadata(),
  options: grpc.CallOptions = {},
  by = client,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let head = new grpc.Metadata();
    let reply = Buffer.alloc(0);
    const call = by.unary({ data }, metadata, options, (error, answer) => {
      if (error !== null) reject(error);
      else reply = Buffer.from(answer?.data ?? []);
    });
    call.on('metadata', (received: grpc.Metadata) => {
      head = received;
    });
    call.on('status', (status: grpc.StatusObject) => resolve({ data: reply, head, trailers: status.metadata }));
  });
}

function statusOf(promise: Promise<unknown>): Promise<grpc.ServiceError> {
  return promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: grpc.ServiceError) => error,
  );
}

beforeEach(async () => {
  echo = await startEcho();
});

afterEach(async () => {
  client.close();
  await sidecar.stop();
  echo.stop();
});

describe('the inbound side', () => {
  test('passes a unary call with metadata both ways and trailers', async () => {
    await start();
    const metadata = new grpc.Metadata();
    metadata.set('x-echo', 'héllo'.normalize('NFD').replace(/[^ -~]/g, ''));
    const reply = await unary(Buffer.from('ping'), metadata);
    expect(reply.data.toString()).toBe('ping');
    expect(reply.head.get('x-echo-head')).toEqual(['hello']);
    expect(reply.trailers.get('x-echo-trailer')).toEqual(['hello']);
  });

  test('passes a megabyte in both directions unchanged', async () => {
    await start();
    const data = Buffer.alloc(1 << 20, 'abcdefg');
    expect((await unary(data)).data.equals(data)).toBe(true);
  });

  test('passes a trailers-only error with its message', async () => {
    await start();
    const error = await statusOf(
      new Promise((resolve, reject) => client.fail({ data: Buffer.alloc(0) }, (e, r) => (e ? reject(e) : resolve(r)))),
    );
    expect(error.code).toBe(grpc.status.NOT_FOUND);
    expect(error.details).toBe('nothing here: %ü');
  });

  test('passes a client stream', async () => {
    await start();
    const reply = await new Promise<Buffer>((resolve, reject) => {
      const call = client.collect((error, answer) =>
        error ? reject(error) : resolve(Buffer.from(answer?.data ?? [])),
      );
      for (let i = 0; i < 100; i++) call.write({ data: Buffer.alloc(1000, i) });
      call.end();
    });
    expect(reply).toEqual(Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(1000, i))));
  });

  test('passes a server stream', async () => {
    await start();
    const request = Buffer.alloc(4);
    request.writeUInt32BE(500);
    let count = 0;
    for await (const chunk of client.spread({ data: request })) {
      count++;
      const expected = Buffer.alloc(500, count & 0xff);
      expected.writeUInt32BE(count, 0);
      expect(Buffer.from(chunk.data).equals(expected)).toBe(true);
    }
    expect(count).toBe(spreadChunks);
  });

  test('passes a conversation message by message', async () => {
    await start();
    const call = client.talk();
    const replies: string[] = [];
    call.on('data', (chunk: { data: Buffer }) => replies.push(Buffer.from(chunk.data).toString()));
    for (let i = 0; i < 20; i++) {
      call.write({ data: Buffer.from(`m${i}`) });
      await until(() => replies.length === i + 1, { timeoutMs: 2000, what: `reply ${i}` });
    }
    const ended = new Promise((resolve) => call.on('status', resolve));
    call.end();
    expect(await ended).toMatchObject({ code: grpc.status.OK });
    expect(replies[19]).toBe('m19');
  });

  test('tells the app that the caller cancelled', async () => {
    await start();
    const call = client.hang({ data: Buffer.alloc(0) }, new grpc.Metadata(), {}, () => {});
    await until(() => echo.state.hanging === 1, { timeoutMs: 2000, what: 'the call at the app' });
    call.cancel();
    await until(() => echo.state.cancelled === 1, { timeoutMs: 2000, what: 'the cancellation at the app' });
  });

  test('ends a call at the deadline of its policy and tells the app', async () => {
    await start(policy('  inbound: { deadline: { default: 50ms } }'));
    const error = await statusOf(
      new Promise((resolve, reject) =>
        client.hang({ data: Buffer.alloc(0) }, new grpc.Metadata(), {}, (e, r) => (e ? reject(e) : resolve(r))),
      ),
    );
    // The app was told the time that is left, and may say first that it has passed.
    expect(error.code).toBe(grpc.status.DEADLINE_EXCEEDED);
    await until(() => echo.state.cancelled === 1, { timeoutMs: 2000, what: 'the cancellation at the app' });
  });

  test('refuses above the rate with RESOURCE_EXHAUSTED and pushback in whole milliseconds', async () => {
    await start(policy('  inbound: { rateLimits: [{ name: total, scope: perProxy, rate: 1/s, burst: 2 }] }'));
    await unary(Buffer.from('1'));
    await unary(Buffer.from('2'));
    const error = await statusOf(unary(Buffer.from('3')));
    expect(error.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
    expect(error.metadata.get('weir-reason')).toEqual(['rate_limit']);
    expect(String(error.metadata.get('grpc-retry-pushback-ms')[0])).toMatch(/^[1-9][0-9]{0,3}$/);
    expect(echo.state.started).toBe(2);
  });

  test('queues above the concurrency limit, refuses beyond the queue, and lets the queue in afterwards', async () => {
    await start(
      policy(
        '  inbound:\n    concurrency: { fixed: { limit: 1 } }\n    queue: { discipline: fifo, requestsMax: 1, waitMax: 5s }',
      ),
    );
    const hanging = client.hang({ data: Buffer.alloc(0) }, new grpc.Metadata(), {}, () => {});
    await until(() => echo.state.hanging === 1, { timeoutMs: 2000, what: 'the first call at the app' });
    const queued = unary(Buffer.from('queued'));
    const other = echoClient(sidecar.inbound);
    await until(
      async () => {
        const stats = await (await fetch(`http://${sidecar.admin}/stats`)).json();
        return typeof stats === 'object' && stats !== null && 'queued' in stats && stats.queued === 1;
      },
      { timeoutMs: 2000, what: 'the second call in the queue' },
    );
    const refused = await statusOf(unary(Buffer.from('beyond'), new grpc.Metadata(), {}, other));
    other.close();
    expect(refused.metadata.get('weir-reason')).toEqual(['queue_full']);
    expect(echo.state.started).toBe(0);
    hanging.cancel();
    expect((await queued).data.toString()).toBe('queued');
  });
});

describe('the outbound side', () => {
  test('opens the breaker after failures in a row, refuses without asking, and closes after a probe', async () => {
    await start(
      policy(
        '  outbound: { circuitBreaker: { consecutiveFailures: 3, openFor: 100ms, openForMax: 1s, halfOpen: { probes: 1 } } }',
      ),
    );
    const caller = echoClient(sidecar.outbound);
    const byName = (): Promise<Reply> => unary(Buffer.from('x'), new grpc.Metadata(), { host: 'echo.shop' }, caller);
    echo.state.failing = true;
    for (let i = 0; i < 3; i++) expect((await statusOf(byName())).code).toBe(grpc.status.INTERNAL);
    const refused = await statusOf(byName());
    expect(refused.code).toBe(grpc.status.UNAVAILABLE);
    expect(refused.metadata.get('weir-reason')).toEqual(['breaker_open']);
    expect(echo.state.started).toBe(3);
    echo.state.failing = false;
    await until(
      () =>
        byName().then(
          () => true,
          () => false,
        ),
      { timeoutMs: 3000, what: 'the breaker closed' },
    );
    caller.close();
  });

  test('answers UNIMPLEMENTED for an authority that names no service', async () => {
    await start();
    const caller = echoClient(sidecar.outbound);
    const error = await statusOf(unary(Buffer.from('x'), new grpc.Metadata(), { host: 'a.b.c.d.example' }, caller));
    caller.close();
    expect(error.code).toBe(grpc.status.UNIMPLEMENTED);
    expect(error.metadata.get('weir-reason')).toEqual(['no_route']);
  });
});

describe('flow control', () => {
  test('holds a 64 MiB stream at the source while its reader does not read, and delivers all of it after', async () => {
    await start();
    const request = Buffer.alloc(4);
    request.writeUInt32BE(65_536);
    const call = client.spread({ data: request });
    let received = 0;
    let peak = 0;
    for await (const chunk of call) {
      received += chunk.data.length;
      const stats: unknown = await (await fetch(`http://${sidecar.admin}/stats`)).json();
      if (typeof stats === 'object' && stats !== null && 'bufferedBytes' in stats) {
        peak = Math.max(peak, Number(stats.bufferedBytes));
      }
    }
    expect(received).toBe(64 << 20);
    // A stream's window, and what one write may hold.
    expect(peak).toBeLessThan(8 << 20);
  });
});
