/**
 * Health of endpoints through a real sidecar: what checks find and what happens to requests decide where the next ones
 * go, and neither limits nor one lost answer take anything out.
 */
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ScriptedServer } from '../support/scripted-server.ts';
import { type RunningSidecar, startSidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';

const cleanUps: (() => Promise<unknown> | undefined)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function listen(server: Server, port = 0): Promise<string> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const at: AddressInfo = Object.assign({ address: '', family: '', port: 0 }, server.address());
  return `127.0.0.1:${at.port}`;
}

/** An app that answers gRPC health checks, and all else with its name. */
class GrpcApp {
  /** As on the wire; 1 is SERVING. */
  status = 1;
  checks = 0;
  requests = 0;
  authorities = new Set<string>();
  address = '';

  async start(port = 0): Promise<string> {
    const sessions = new Set<http2.ServerHttp2Session>();
    const server = http2.createServer();
    server.on('session', (session) => sessions.add(session));
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      if (headers[':path'] === '/grpc.health.v1.Health/Check') {
        this.checks++;
        const parts: Buffer[] = [];
        stream.on('data', (part: Buffer) => parts.push(part));
        stream.on('end', () => {
          const isAsked = Buffer.concat(parts).toString('latin1').endsWith('shop.Orders');
          stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': isAsked ? '0' : '5' }));
          stream.end(Buffer.from([0, 0, 0, 0, 2, 8, this.status]));
        });
        return;
      }
      this.requests++;
      stream.respond({ ':status': 200, 'x-from': this.address }, { endStream: true });
    });
    this.address = await listen(server, port);
    cleanUps.push(() => {
      for (const session of sessions) session.destroy();
      return new Promise((resolve) => server.close(resolve));
    });
    return this.address;
  }
}

const policy = (healthCheck: string): string =>
  'apiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: orders, namespace: shop }\nspec:\n' +
  `  target: { service: orders }\n  outbound:\n    healthCheck: ${healthCheck}\n`;

const grpcCheck =
  '{ probe: { grpc: { service: shop.Orders } }, interval: 150ms, timeout: 150ms, unhealthyAfter: 2, healthyAfter: 2 }';

async function sidecarFor(addresses: readonly string[], healthCheck?: string): Promise<RunningSidecar> {
  const endpoints = addresses.flatMap((address) => ['--endpoint', `shop/orders=${address}`]);
  const sidecar = await startSidecar({
    argv: [...endpoints, '--authority', 'orders=shop/orders'],
    ...(healthCheck !== undefined && { policy: policy(healthCheck) }),
  });
  cleanUps.push(() => sidecar.stop());
  return sidecar;
}

/** Who answers, or why nobody did. */
function ask(session: http2.ClientHttp2Session): Promise<string> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/', ':authority': 'orders' });
    stream.on('response', (headers) => resolve(String(headers['x-from'] ?? headers['weir-reason'])));
    stream.on('error', (error) => resolve(error.message));
    stream.resume();
  });
}

function connect(sidecar: RunningSidecar): http2.ClientHttp2Session {
  const session = http2.connect(`http://${sidecar.outbound}`);
  cleanUps.push(async () => session.destroy());
  return session;
}

async function answersOf(session: http2.ClientHttp2Session, count: number): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const from = await ask(session);
    answers[from] = (answers[from] ?? 0) + 1;
  }
  return answers;
}

async function healthyCount(sidecar: RunningSidecar): Promise<number> {
  const text = await (await fetch(`http://${sidecar.metrics}/metrics`)).text();
  return Number(/^weir_endpoint_healthy\{upstream="shop\/orders"\} (\d+)$/m.exec(text)?.[1]);
}

interface EndpointState {
  address: string;
  healthy: boolean;
  reachable: boolean;
  lastCheck?: string;
}

async function endpointsOf(sidecar: RunningSidecar): Promise<EndpointState[]> {
  const config: { targets: { endpoints: EndpointState[] }[] } = JSON.parse(
    await (await fetch(`http://${sidecar.admin}/config`)).text(),
  );
  return config.targets[0]?.endpoints ?? [];
}

describe('active checks', () => {
  test('an endpoint that says NOT_SERVING gets no requests until it says SERVING again', async () => {
    const [one, two] = [new GrpcApp(), new GrpcApp()];
    const sidecar = await sidecarFor([await one.start(), await two.start()], grpcCheck);
    const session = connect(sidecar);
    expect(Object.keys(await answersOf(session, 40)).sort()).toEqual([one.address, two.address].sort());
    one.status = 2;
    await until(async () => (await healthyCount(sidecar)) === 1, { what: 'it is found unhealthy' });
    expect(await answersOf(session, 40)).toEqual({ [two.address]: 40 });
    expect((await endpointsOf(sidecar)).find(({ address }) => address === one.address)).toMatchObject({
      healthy: false,
      reachable: true,
      lastCheck: 'NOT_SERVING',
    });
    one.status = 1;
    await until(async () => (await healthyCount(sidecar)) === 2, { what: 'it is found healthy' });
    expect(Object.keys(await answersOf(session, 40))).toHaveLength(2);
  });

  test('when every endpoint is unhealthy, all are used', async () => {
    const [one, two] = [new GrpcApp(), new GrpcApp()];
    one.status = two.status = 2;
    const sidecar = await sidecarFor([await one.start(), await two.start()], grpcCheck);
    const session = connect(sidecar);
    await ask(session);
    await until(async () => (await healthyCount(sidecar)) === 0, { what: 'both are found unhealthy' });
    expect(Object.keys(await answersOf(session, 40))).toHaveLength(2);
  });

  test('HTTP/1.1: a path and its statuses decide', async () => {
    let status = 200;
    const checked: string[] = [];
    const app = http.createServer((request, response) => {
      checked.push(`${request.method} ${request.url} ${request.headers['user-agent']}`);
      response.writeHead(status).end('some text');
    });
    const address = await listen(app);
    cleanUps.push(() => {
      app.closeAllConnections();
      return new Promise((resolve) => app.close(resolve));
    });
    const sidecar = await sidecarFor(
      [address],
      '{ probe: { http: { path: /live?x=1, expectedStatuses: [200, 204] } }, interval: 100ms, unhealthyAfter: 1, healthyAfter: 1 }',
    );
    await fetch(`http://${sidecar.outbound}/`, { headers: { host: 'orders' } });
    await ask(connect(sidecar));
    await until(() => checked.length >= 2, { what: 'two checks' });
    expect(new Set(checked)).toEqual(new Set(['GET /live?x=1 weir-health-check']));
    expect(await healthyCount(sidecar)).toBe(1);
    status = 500;
    await until(async () => (await healthyCount(sidecar)) === 0, { what: '500 is unhealthy' });
    expect((await endpointsOf(sidecar))[0]).toMatchObject({ healthy: false, lastCheck: 'HTTP 500' });
    // A limit is no sign of bad health: the state stays what it was.
    status = 204;
    await until(async () => (await healthyCount(sidecar)) === 1, { what: '204 is healthy' });
    status = 429;
    await until(async () => (await endpointsOf(sidecar))[0]?.lastCheck === 'HTTP 429', { what: '429 was seen' });
    expect(await healthyCount(sidecar)).toBe(1);
  });

  test('a server that takes the check and never answers is unhealthy, and its stream is given back', async () => {
    const silent = new ScriptedServer({ onRequest: () => {} });
    const address = await silent.listen();
    cleanUps.push(() => silent.close());
    const app = new GrpcApp();
    const sidecar = await sidecarFor([address, await app.start()], grpcCheck);
    const session = connect(sidecar);
    void ask(session);
    await until(async () => (await healthyCount(sidecar)) === 1, { what: 'it is found unhealthy' });
    expect((await endpointsOf(sidecar)).find((endpoint) => endpoint.address === address)?.lastCheck).toBe(
      'no answer in 150 ms',
    );
    expect(await answersOf(session, 20)).toEqual({ [app.address]: 20 });
  });
});

describe("the app's own health", () => {
  const ready = async (sidecar: RunningSidecar): Promise<string> => {
    const answer = await fetch(`http://${sidecar.health}/readyz`);
    return `${answer.status} ${(await answer.text()).trim()}`;
  };

  test('decides whether the sidecar is ready, from before the app is up to after it fell ill', async () => {
    const app = new GrpcApp();
    const port = new ScriptedServer({});
    const address = await port.listen();
    await port.close();
    const sidecar = await startSidecar({ argv: ['--app', address, '--app-health', 'grpc:shop.Orders'] });
    cleanUps.push(() => sidecar.stop());
    expect(await ready(sidecar)).toMatch(/^503 not ready: the app is not healthy: /);
    await app.start(Number(address.split(':')[1]));
    await until(async () => (await ready(sidecar)) === '200 ready', { what: 'it is ready' });
    app.status = 2;
    await until(async () => (await ready(sidecar)) === '503 not ready: the app is not healthy: NOT_SERVING', {
      what: 'it is not ready any more',
    });
  });

  test('is asked by HTTP too, and needs an app', async () => {
    const app = http.createServer((request, response) => response.writeHead(request.url === '/ok' ? 200 : 404).end());
    const address = await listen(app);
    cleanUps.push(() => {
      app.closeAllConnections();
      return new Promise((resolve) => app.close(resolve));
    });
    const sidecar = await startSidecar({ argv: ['--app', address, '--app-health', 'http:/ok'] });
    cleanUps.push(() => sidecar.stop());
    await until(async () => (await ready(sidecar)) === '200 ready', { what: 'it is ready' });
    await expect(startSidecar({ argv: ['--app-health', 'grpc'] })).rejects.toThrow('--app-health needs --app');
    await expect(startSidecar({ argv: ['--app', address, '--app-health', 'tcp'] })).rejects.toThrow('--app-health');
  });
});

describe('what happens to requests', () => {
  test('an endpoint that cannot be reached is tried by one request at a time, and comes back', async () => {
    const app = new GrpcApp();
    const gone = new ScriptedServer({});
    const address = await gone.listen();
    await gone.close();
    const sidecar = await sidecarFor([await app.start(), address]);
    const session = connect(sidecar);
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(session)));
    const failed = answers.filter((answer) => answer === 'upstream_connect').length;
    // Those that were on their way before the first failure came back.
    expect(failed).toBeGreaterThan(0);
    await answersOf(session, 5);
    expect(await healthyCount(sidecar)).toBe(1);
    let failures = 0;
    const began = performance.now();
    while (performance.now() - began < 700) {
      const now = await Promise.all(Array.from({ length: 20 }, () => ask(session)));
      failures += now.filter((answer) => answer === 'upstream_connect').length;
    }
    // Pauses of about 100, 200 and 400 ms: one request each has tried.
    expect(failures).toBeGreaterThan(0);
    expect(failures).toBeLessThanOrEqual(4);
    await gone.listen(Number(address.split(':')[1]));
    cleanUps.push(() => gone.close());
    await until(async () => (await answersOf(session, 10)).undefined !== undefined, { what: 'it answers again' });
    expect(await healthyCount(sidecar)).toBe(2);
  });

  test('a lost connection takes an endpoint out for a moment, a reset stream does not', async () => {
    let ends: 'stream' | 'connection' = 'stream';
    const server = new ScriptedServer({
      onRequest: (connection, streamId) => {
        if (ends === 'stream') connection.reset(streamId, 2);
        else connection.socket.destroy();
      },
    });
    const address = await server.listen();
    cleanUps.push(() => server.close());
    const sidecar = await sidecarFor([address]);
    const session = connect(sidecar);
    expect(await answersOf(session, 10)).toEqual({ upstream_reset: 10 });
    expect((await endpointsOf(sidecar))[0]?.reachable).toBe(true);
    ends = 'connection';
    expect(await ask(session)).toBe('upstream_reset');
    expect((await endpointsOf(sidecar))[0]?.reachable).toBe(false);
    await until(async () => (await endpointsOf(sidecar))[0]?.reachable, { what: 'it may be tried again' });
  });
});
