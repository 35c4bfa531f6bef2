/** What answers when a service cannot, over real sockets: fixed answers, last good ones, another service; HTTP and gRPC. */
import http from 'node:http';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { type EchoClient, echoClient, startEcho } from '../support/echo-service.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { type Reply, send } from '../support/web.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface App {
  readonly address: string;
  requests: number;
  status: number;
  headers: http.OutgoingHttpHeaders;
  /** Null echoes the request. */
  body: string | null;
  stop(): Promise<void>;
}

async function startApp(body: string | null): Promise<App> {
  const server = http.createServer((request, response) => {
    app.requests++;
    response.writeHead(app.status, app.headers);
    if (app.body === null) request.pipe(response);
    else response.end(app.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const app: App = {
    address: `127.0.0.1:${port}`,
    requests: 0,
    status: 200,
    headers: {},
    body,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  cleanups.push(() => app.stop());
  return app;
}

const document = (name: string, outbound: string, enforcement = 'enforce'): string =>
  `---\napiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: ${name}, namespace: shop }\nspec:\n  target: { service: ${name} }\n  enforcement: ${enforcement}\n  outbound: ${outbound}\n`;

async function startCaller(policy: string, endpoints: Record<string, string>): Promise<RunningSidecar> {
  const given = Object.entries(endpoints).flatMap(([name, address]) => ['--endpoint', `shop/${name}=${address}`]);
  const sidecar = await startSidecar({ argv: ['--service', 'shop/caller', ...given], policy });
  cleanups.push(() => sidecar.stop());
  return sidecar;
}

const get = (sidecar: RunningSidecar, path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Reply> =>
  send(sidecar.outbound, { path, headers: { host: 'pay', ...headers } });

async function fallbackMetrics(sidecar: RunningSidecar): Promise<string[]> {
  const { body } = await send(sidecar.metrics, { path: '/metrics' });
  return body.split('\n').filter((line) => /^weir_(fallbacks|would_fall_back)_total\{/.test(line));
}

const breaker = 'circuitBreaker: { consecutiveFailures: 1, openFor: 1m, openForMax: 1m }';
const fixed = 'static: { http: { status: 203, headers: [{ name: X-A, value: b }], body: "later" } }';

describe('a fixed answer', () => {
  it('stands in while the breaker is open, and not for the failures that open it', async () => {
    const pay = await startApp('fresh');
    pay.status = 500;
    const sidecar = await startCaller(document('pay', `{ ${breaker}, fallback: { ${fixed} } }`), { pay: pay.address });
    expect((await get(sidecar, '/')).status).toBe(500);
    const reply = await get(sidecar, '/');
    expect([reply.status, reply.body]).toEqual([203, 'later']);
    expect(reply.headers).toMatchObject({
      'x-a': 'b',
      'content-type': 'text/plain; charset=utf-8',
      'content-length': '5',
      'weir-fallback': 'static',
    });
    const head = await send(sidecar.outbound, { path: '/', method: 'HEAD', headers: { host: 'pay' } });
    expect([head.status, head.body, head.headers['content-length']]).toEqual([203, '', '5']);
    expect(pay.requests).toBe(1);
    expect(await fallbackMetrics(sidecar)).toEqual(['weir_fallbacks_total{upstream="shop/pay",kind="static"} 2']);
  });

  it('stands in where no endpoint is known, and for failures that are answered when the policy says so', async () => {
    const pay = await startApp('fresh');
    pay.status = 500;
    const policy =
      document('pay', `{ fallback: { on: [serverError], ${fixed} } }`) + document('none', `{ fallback: { ${fixed} } }`);
    const sidecar = await startCaller(policy, { pay: pay.address });
    expect((await get(sidecar, '/', { host: 'none' })).status).toBe(203);
    expect((await get(sidecar, '/')).status).toBe(203);
    pay.status = 404;
    expect((await get(sidecar, '/')).status).toBe(404);
    await pay.stop();
    expect((await get(sidecar, '/')).status).toBe(503);
  });

  it("stands in for a refusal by the service's own sidecar", async () => {
    const pay = await startApp('fresh');
    const own = await startSidecar({
      argv: ['--service', 'shop/pay', '--app', pay.address, '--app-protocol', 'http1'],
      policy: document('pay', '{}').replace('  outbound: {}', '  inbound: { rateLimits: [{ name: a, rate: 1/h }] }'),
    });
    cleanups.push(() => own.stop());
    const sidecar = await startCaller(document('pay', `{ ${breaker}, fallback: { ${fixed} } }`), { pay: own.inbound });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await get(sidecar, '/')).status);
    expect(statuses).toEqual([200, 203, 203]);
  });

  it('in shadow only counts', async () => {
    const pay = await startApp('fresh');
    await pay.stop();
    const sidecar = await startCaller(document('pay', `{ fallback: { ${fixed} } }`, 'shadow'), { pay: pay.address });
    expect((await get(sidecar, '/')).status).toBe(503);
    expect(await fallbackMetrics(sidecar)).toEqual(['weir_would_fall_back_total{upstream="shop/pay",kind="static"} 1']);
  });
});

describe('the last good answer', () => {
  const stale = document('pay', '{ fallback: { stale: { answerBytesMax: 256B } } }');

  it('is given with its age when the service is gone', async () => {
    const pay = await startApp('fresh');
    pay.headers = { etag: '"1"', age: '7', 'content-type': 'text/x' };
    const sidecar = await startCaller(stale, { pay: pay.address });
    expect((await get(sidecar, '/a?b')).headers['weir-fallback']).toBeUndefined();
    await pay.stop();
    const reply = await get(sidecar, '/a?b');
    expect([reply.status, reply.body]).toEqual([200, 'fresh']);
    expect(reply.headers).toMatchObject({ etag: '"1"', 'content-type': 'text/x', 'weir-fallback': 'stale' });
    expect(Number(reply.headers.age)).toBeGreaterThanOrEqual(7);
    expect((await get(sidecar, '/a')).status).toBe(503);
    expect(await fallbackMetrics(sidecar)).toEqual(['weir_fallbacks_total{upstream="shop/pay",kind="stale"} 1']);
  });

  it.each<[string, http.OutgoingHttpHeaders, http.OutgoingHttpHeaders, string, http.RequestOptions]>([
    ['varies', { vary: 'Accept-Language' }, { 'accept-language': 'de' }, 'x', {}],
    ['sets a cookie', { 'set-cookie': 'a=b' }, {}, 'x', {}],
    ['is private', { 'cache-control': 'max-age=9, private' }, {}, 'x', {}],
    ['must be revalidated', { 'cache-control': 'must-revalidate' }, {}, 'x', {}],
    ['is too long', {}, {}, 'x'.repeat(257), {}],
    ['was no safe request', {}, {}, 'x', { method: 'POST' }],
  ])('is not given where it %s', async (_, headers, asked, body, options) => {
    const pay = await startApp(body);
    pay.headers = headers;
    const sidecar = await startCaller(stale, { pay: pay.address });
    await send(sidecar.outbound, { path: '/', headers: { host: 'pay', ...asked }, ...options });
    await pay.stop();
    expect((await send(sidecar.outbound, { path: '/', headers: { host: 'pay' }, ...options })).status).toBe(503);
  });

  it('is for everybody or for nobody where credentials are shown', async () => {
    const pay = await startApp('mine');
    const sidecar = await startCaller(stale, { pay: pay.address });
    await get(sidecar, '/own', { authorization: 'Bearer a' });
    await get(sidecar, '/other');
    pay.headers = { 'cache-control': 'public' };
    await get(sidecar, '/all', { authorization: 'Bearer a' });
    await pay.stop();
    const statuses = [];
    for (const [path, headers] of [
      ['/own', { authorization: 'Bearer a' }],
      ['/own', {}],
      ['/other', { authorization: 'Bearer a' }],
      ['/other', {}],
      ['/all', { authorization: 'Bearer b' }],
    ] as const) {
      statuses.push((await get(sidecar, path, headers)).status);
    }
    expect(statuses).toEqual([503, 503, 503, 200, 200]);
  });
});

describe('another service', () => {
  it('answers instead, with all of the request', async () => {
    const pay = await startApp(null);
    const backup = await startApp(null);
    backup.headers = { 'x-from': 'backup' };
    await pay.stop();
    const sidecar = await startCaller(document('pay', '{ fallback: { service: shop/backup } }'), {
      pay: pay.address,
      backup: backup.address,
    });
    const options = { path: '/', method: 'POST', headers: { host: 'pay' } };
    const reply = await send(sidecar.outbound, options, 'x'.repeat(10_000));
    expect([reply.status, reply.body.length, reply.headers['x-from']]).toEqual([200, 10_000, 'backup']);
    expect(await fallbackMetrics(sidecar)).toEqual(['weir_fallbacks_total{upstream="shop/pay",kind="service"} 1']);
  });

  it('is asked once, also when the two name each other, and then what else the policy names answers', async () => {
    const pay = await startApp('');
    const backup = await startApp('');
    pay.status = backup.status = 500;
    const on = 'on: [serverError]';
    const policy =
      document('pay', `{ fallback: { ${on}, service: shop/backup, ${fixed} } }`) +
      document('backup', `{ fallback: { ${on}, service: shop/pay } }`);
    const sidecar = await startCaller(policy, { pay: pay.address, backup: backup.address });
    expect((await get(sidecar, '/')).status).toBe(203);
    expect([pay.requests, backup.requests]).toEqual([1, 1]);
    expect((await get(sidecar, '/', { host: 'backup' })).status).toBe(500);
    expect([pay.requests, backup.requests]).toEqual([2, 2]);
  });
});

describe('for gRPC', () => {
  interface Answer {
    readonly code: number;
    readonly data: string;
    readonly head: grpc.Metadata;
    readonly trailers: grpc.Metadata;
  }

  function unary(client: EchoClient, data: string): Promise<Answer> {
    return new Promise((resolve) => {
      let head = new grpc.Metadata();
      let reply = '';
      const call = client.unary({ data: Buffer.from(data) }, new grpc.Metadata(), {}, (_, answer) => {
        reply = Buffer.from(answer?.data ?? []).toString();
      });
      call.on('metadata', (received: grpc.Metadata) => {
        head = received;
      });
      call.on('status', ({ code, metadata }: grpc.StatusObject) =>
        resolve({ code, data: reply, head, trailers: metadata }),
      );
    });
  }

  async function start(outbound: string): Promise<{ echo: Awaited<ReturnType<typeof startEcho>>; client: EchoClient }> {
    const echo = await startEcho();
    cleanups.push(() => echo.stop());
    const sidecar = await startSidecar({
      argv: ['--service', 'shop/caller', '--endpoint', `shop/echo=${echo.address}`],
      policy: document('echo', outbound),
    });
    cleanups.push(() => sidecar.stop());
    const client = echoClient(sidecar.outbound, 'echo');
    cleanups.push(() => client.close());
    return { echo, client };
  }

  it('a fixed answer is a message and its trailers, properly framed', async () => {
    const chunk = Buffer.concat([Buffer.from([0x0a, 5]), Buffer.from('later')]).toString('base64');
    const trailers = '[{ name: x-t, value: u }]';
    const { echo, client } = await start(
      `{ fallback: { static: { grpc: { message: "${chunk}", trailers: ${trailers} } } } }`,
    );
    echo.stop();
    const answer = await unary(client, 'now');
    expect([answer.code, answer.data]).toEqual([grpc.status.OK, 'later']);
    expect(answer.head.get('weir-fallback')).toEqual(['static']);
    expect(answer.trailers.get('x-t')).toEqual(['u']);
  });

  it('a fixed answer may be a status alone', async () => {
    const { echo, client } = await start(
      '{ fallback: { static: { grpc: { status: 5, statusMessage: "nothing: 100 %" } } } }',
    );
    echo.stop();
    const { code } = await unary(client, 'now');
    expect(code).toBe(grpc.status.NOT_FOUND);
  });

  it('the last good answer is found by method and message, also when a call is refused at its head', async () => {
    const methods = 'grpcMethods: [{ service: weir.test.Echo, method: Unary }]';
    const { echo, client } = await start(`{ ${breaker}, fallback: { stale: { ${methods} } } }`);
    for (const data of ['a', 'b']) expect((await unary(client, data)).data).toBe(data);
    echo.stop();
    const answers = [];
    for (const data of ['a', 'c', 'b', 'a']) answers.push(await unary(client, data));
    expect(answers.map(({ code, data }) => [code, data])).toEqual([
      [grpc.status.OK, 'a'],
      [grpc.status.UNAVAILABLE, ''],
      [grpc.status.OK, 'b'],
      [grpc.status.OK, 'a'],
    ]);
    expect(answers[3]!.head.get('weir-fallback')).toEqual(['stale']);
    expect(answers[1]!.trailers.get('weir-reason')).toEqual(['breaker_open']);
  });
});
