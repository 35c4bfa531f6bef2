/**
 * The app says how fast it takes requests: over HTTP, and on a gRPC stream, from which a consumer written with RxJS pulls
 * at its own pace.
 */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { concatMap, Subject, tap, timer } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EchoClient, type EchoService, echoClient, startEcho } from '../support/echo-service.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const policy = `apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: echo, namespace: shop }
spec:
  target: { service: echo }
  inbound:
    concurrency: { fixed: { limit: 100 } }
    queue: { discipline: fifo, waitMax: 20s }
`;

interface Status {
  readonly state: 'OPEN' | 'PAUSED' | 'PULLING';
  readonly remaining: number;
  readonly inFlight: number;
  readonly queued: number;
}

interface Signal {
  readonly pause?: boolean;
  readonly resume?: boolean;
  readonly more?: number;
}

type Control = grpc.ClientDuplexStream<Signal, Status>;

function control(client: grpc.Client): Control {
  const path = fileURLToPath(new URL('../../proto/weir/v1/pressure.proto', import.meta.url));
  const service = loadSync(path, { defaults: true, enums: String })['weir.v1.Pressure'];
  const method = service !== undefined && 'Control' in service ? service.Control : undefined;
  if (method === undefined || !('responseDeserialize' in method)) throw new Error('pressure.proto has changed');
  return client.makeBidiStreamRequest<Signal, Status>(
    method.path,
    (signal) => method.requestSerialize(signal),
    (bytes) =>
      Object.assign(
        { state: 'OPEN' as const, remaining: 0, inFlight: 0, queued: 0 },
        method.responseDeserialize(bytes),
      ),
  );
}

let echo: EchoService;
let sidecar: RunningSidecar;
let client: EchoClient;

beforeEach(async () => {
  echo = await startEcho();
  sidecar = await startSidecar({ argv: ['--service', 'shop/echo', '--app', echo.address], policy });
  client = echoClient(sidecar.inbound);
});

afterEach(async () => {
  client.close();
  await sidecar.stop();
  echo.stop();
});

function call(): Promise<'ok' | grpc.status> {
  return new Promise((resolve) => {
    client.unary({ data: Buffer.from('x') }, new grpc.Metadata(), {}, (error) => resolve(error?.code ?? 'ok'));
  });
}

async function pressure(body?: unknown): Promise<{ status: number; reading: Record<string, unknown>; text: string }> {
  const response = await fetch(`http://${sidecar.admin}/v1/pressure`, {
    method: body === undefined ? 'GET' : 'PUT',
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  return { status: response.status, reading: response.ok ? JSON.parse(text) : {}, text };
}

const queuedIs = (count: number): Promise<unknown> =>
  until(async () => (await pressure()).reading.queued === count, { what: `${count} wait` });

describe('PUT /v1/pressure', () => {
  it('pauses: requests wait in the queue; resumes: they are delivered', async () => {
    expect((await pressure({ pause: true, for: '30s' })).reading).toMatchObject({ state: 'paused', remaining: 0 });
    const calls = [call(), call(), call()];
    await queuedIs(3);
    expect(echo.state.started).toBe(0);
    expect((await pressure({ resume: true })).reading).toMatchObject({ state: 'open', remaining: null });
    expect(await Promise.all(calls)).toEqual(['ok', 'ok', 'ok']);
  });

  it('delivers n more and then no other', async () => {
    await pressure({ pause: true });
    const calls = [call(), call(), call()];
    await queuedIs(3);
    await pressure({ more: 2 });
    await until(() => echo.state.started === 2, { what: 'two are delivered' });
    await queuedIs(1);
    expect((await pressure()).reading).toMatchObject({ state: 'pulling', remaining: 0, queued: 1 });
    expect(echo.state.started).toBe(2);
    await pressure({ more: 1 });
    expect(await Promise.all(calls)).toEqual(['ok', 'ok', 'ok']);
  });

  it('forgets what was said when its time has passed', async () => {
    await pressure({ pause: true, for: '50ms' });
    expect(await call()).toBe('ok');
    expect((await pressure()).reading.state).toBe('open');
  });

  it.each([
    [[], 'a JSON object is expected'],
    [{}, 'exactly one of pause, resume and more is expected'],
    [{ pause: true, more: 1 }, 'exactly one of pause, resume and more is expected'],
    [{ more: 0 }, 'more: a whole number from 1 to'],
    [{ pause: 'yes' }, 'pause: true is expected'],
    [{ pause: true, for: '2h' }, 'for: how long it holds, from 1ms to 10m'],
    [{ stop: true }, '"stop" is not known'],
  ])('refuses %j and says why, and nothing changes', async (body, message) => {
    const { status, text } = await pressure(body);
    expect([status, text]).toEqual([400, expect.stringContaining(message)]);
    expect((await pressure()).reading.state).toBe('open');
  });
});

describe('weir.v1.Pressure/Control', () => {
  let puller: grpc.Client;
  let stream: Control;
  const statuses: Status[] = [];

  beforeEach(() => {
    statuses.length = 0;
    puller = new grpc.Client(sidecar.admin, grpc.credentials.createInsecure());
    stream = control(puller);
    stream.on('data', (status: Status) => statuses.push(status));
    stream.on('error', () => {});
  });

  afterEach(() => {
    stream.cancel();
    puller.close();
  });

  it('answers every signal with what is so', async () => {
    stream.write({ pause: true });
    await until(() => statuses.at(-1)?.state === 'PAUSED', { what: 'paused' });
    const waiting = call();
    await until(() => statuses.at(-1)?.queued === 1, { what: 'the status says that one waits' });
    stream.write({ more: 3 });
    await until(() => statuses.at(-1)?.state === 'PULLING', { what: 'pulling' });
    expect(await waiting).toBe('ok');
    await until(() => statuses.at(-1)?.remaining === 2, { what: 'two are left' });
  });

  it('is as if nothing had been said once the stream is gone', async () => {
    stream.write({ pause: true });
    await until(() => statuses.at(-1)?.state === 'PAUSED', { what: 'paused' });
    const waiting = call();
    await queuedIs(1);
    stream.cancel();
    expect(await waiting).toBe('ok');
  });

  it('refuses "0 more" as an invalid argument', async () => {
    const ended = new Promise<grpc.StatusObject>((resolve) => stream.on('status', resolve));
    stream.write({ more: 0 });
    expect((await ended).code).toBe(grpc.status.INVALID_ARGUMENT);
  });

  it('lets a consumer in RxJS pull two at a time, and never hands it a third', async () => {
    const batch = 2;
    const requests = 11;
    let pulled = 0;
    let worstLead = 0;
    // The consumer: works on what comes, one after the other, and pulls the next two when it has done two.
    const arrivals = new Subject<number>();
    const done: number[] = [];
    arrivals
      .pipe(
        concatMap((arrival) => timer(5).pipe(tap(() => done.push(arrival)))),
        tap(() => {
          if (done.length % batch === 0) pull();
        }),
      )
      .subscribe();
    const pull = (): void => {
      pulled += batch;
      stream.write({ more: batch });
    };
    stream.write({ pause: true });
    await until(() => statuses.at(-1)?.state === 'PAUSED', { what: 'paused' });
    const calls = Array.from({ length: requests }, () => call());
    await queuedIs(requests);
    let seen = 0;
    const watch = setInterval(() => {
      worstLead = Math.max(worstLead, echo.state.started - pulled);
      for (; seen < echo.state.started; seen++) arrivals.next(seen);
    }, 1);
    pull();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['ok']));
    clearInterval(watch);
    expect(worstLead).toBeLessThanOrEqual(0);
    expect(echo.state.started).toBe(requests);
  });
});
