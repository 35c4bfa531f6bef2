/** `weir sidecar --concurrency 2` as an operator runs it: limits of the process, one drain, and workers that die. */
import { existsSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { blankVerdict } from '../../proto/fleet-blanks.ts';
import { ControlRoom, makeBundle } from '../support/control-room.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { sidecarDoors, startWeir, text, type WeirProcess } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const fault = fileURLToPath(new URL('../support/worker-fault.mjs', import.meta.url));

let app: http.Server;
let appAddress: string;
/** Requests that the app has now, and the most it ever had. */
let inFlight: number;
let most: number;
let sidecar: WeirProcess;
let dir: string;
let agents: http.Agent[];

beforeEach(async () => {
  inFlight = 0;
  most = 0;
  agents = [];
  dir = tempDir('concurrency').path;
  app = http.createServer((request, response) => {
    most = Math.max(most, ++inFlight);
    response.once('close', () => inFlight--);
    const { searchParams } = new URL(request.url ?? '/', 'http://app');
    response.statusCode = Number(searchParams.get('status') ?? 200);
    const ms = Number(searchParams.get('ms') ?? 0);
    setTimeout(() => response.end('ok'), ms);
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const address = app.address();
  appAddress = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
});

afterEach(async () => {
  for (const agent of agents) agent.destroy();
  await sidecar.stop();
  app.closeAllConnections();
  await new Promise((resolve) => app.close(resolve));
});

async function start(policy = '', more: string[] = []): Promise<void> {
  const settings = ['--concurrency', '2', '--app', appAddress, '--app-protocol', 'http1'];
  const args = ['sidecar', ...settings, ...sidecarDoors, ...more];
  if (policy !== '') {
    const file = join(dir, 'policy.yaml');
    writeFileSync(file, document(policy));
    args.push('--policy', file);
  }
  const env = { NODE_OPTIONS: `--import ${fault}`, FAULT_FILE: join(dir, 'fault') };
  sidecar = await startWeir([...args, '--log-format', 'json'], { env });
}

function document(inbound: string): string {
  return `apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: app, namespace: default }
spec:
  target: { service: app }
  inbound: ${inbound}
`;
}

/** One keep-alive connection. */
function connection(): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agents.push(agent);
  return agent;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function get(url: string, agent?: http.Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = url.startsWith(outbound('/')) ? { host: 'pay' } : {};
    const request = http.get(url, { agent: agent ?? false, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

const outbound = (path: string): string => `http://${text(sidecar.listening, 'outbound')}${path}`;
const inbound = (path = '/'): string => `http://${text(sidecar.listening, 'inbound')}${path}`;

interface Stats {
  readonly workers: readonly { worker: number; isRunning: boolean; connections: number; deaths: number }[];
  readonly breakers: readonly unknown[];
  readonly traffic: readonly { requests: number; success: number; inFlight: number }[];
}

async function stats(): Promise<Stats> {
  return JSON.parse((await get(`http://${text(sidecar.listening, 'admin')}/stats`)).body);
}

async function metric(name: string): Promise<number> {
  const { body } = await get(`http://${text(sidecar.listening, 'metrics')}/metrics`);
  const line = body.split('\n').find((each) => each.startsWith(name));
  return Number(line?.slice(line.lastIndexOf(' ')));
}

/** Open connections until each worker has some; which one accepts is the kernel's choice. */
async function spread(url: () => string = inbound): Promise<http.Agent[]> {
  const opened: http.Agent[] = [];
  await until(
    async () => {
      const fresh = Array.from({ length: 10 }, connection);
      await Promise.all(fresh.map((agent) => get(url(), agent)));
      opened.push(...fresh);
      return until(async () => (await stats()).workers.every(({ connections }) => connections > 0), {
        what: 'both workers have connections',
        timeoutMs: 400,
      }).catch(() => false);
    },
    { what: 'the connections are spread over both workers', timeoutMs: 8_000 },
  );
  return opened;
}

describe('weir sidecar --concurrency 2', () => {
  it('spreads connections over its workers and counts the requests of both as one', async () => {
    await start();
    const agents = await spread();
    const before = (await stats()).traffic[0]!.requests;
    for (let round = 0; round < 5; round++) await Promise.all(agents.map((agent) => get(inbound(), agent)));
    const after = before + 5 * agents.length;
    await until(async () => (await stats()).traffic[0]!.inFlight === 0, { what: 'the last has been counted' });
    expect((await stats()).traffic[0]).toMatchObject({ requests: after, success: after, inFlight: 0 });
    expect(await metric('weir_requests_total{direction="inbound",upstream="default/app",outcome="success"}')).toBe(
      after,
    );
    expect(await metric('weir_request_duration_seconds_count')).toBe(after);
    await until(async () => (await metric('weir_connections')) === agents.length, {
      what: 'every connection is counted',
    });
    expect([await metric('weir_workers'), await metric('weir_worker_deaths_total')]).toEqual([2, 0]);
  });

  it('admits rate and burst once, not once for each worker, with a key and without', async () => {
    await start(
      '{ rateLimits: [{ name: all, rate: 10/h, burst: 300 }, { name: path, rate: 1/h, burst: 40, key: { path: {} } }] }',
    );
    const agents = await spread();
    const used = (await stats()).traffic[0]!.requests;
    const admitted = async (path: string, count: number): Promise<number> => {
      const answers = await Promise.all(
        Array.from({ length: count }, (_, i) => get(inbound(path), agents[i % agents.length])),
      );
      return answers.filter(({ status }) => status === 200).length;
    };
    expect(await admitted('/a', 80)).toBe(40);
    expect(await admitted('/b', 60)).toBe(40);
    // What a later rule refuses, an earlier one has counted.
    const left = 300 - used - 140;
    const many = await Promise.all(
      Array.from({ length: left + 30 }, (_, i) => get(inbound(`/c${i}`), agents[i % agents.length])),
    );
    expect(many.filter(({ status }) => status === 200).length).toBe(left);
  });

  it('never lets more than the limit through to the app, and starves nobody who waits', async () => {
    await start(
      '{ concurrency: { fixed: { limit: 6 } }, queue: { discipline: fifo, requestsMax: 500, waitMax: 20s } }',
    );
    const agents = await spread();
    most = 0;
    const answers = await Promise.all(
      agents.flatMap((agent) => Array.from({ length: 8 }, () => get(inbound('/?ms=40'), agent))),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(most).toBe(6);
    await until(async () => (await stats()).traffic[0]!.inFlight === 0, { what: 'everything has come back' });
  });

  it('acknowledges a policy once both workers obey it', async () => {
    const nats = await startNatsServer();
    const room = await ControlRoom.open(nats.url);
    try {
      await start('', ['--nats', nats.url]);
      const agents = await spread();
      const stable = { target: { service: 'app' }, inbound: { rateLimits: [{ name: 'all', rate: '1/h', burst: 1 }] } };
      await room.putBundle(makeBundle({ target: 'default/app', version: 1, stable }));
      await until(() => room.acks.length > 0, { what: 'the bundle is acknowledged' });
      expect(room.acks[0]!.applied).toMatchObject({ version: 1, status: 'applied' });
      const answers = await Promise.all(agents.map((agent) => get(inbound(), agent)));
      expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    } finally {
      await room.close();
      await nats.stop();
    }
  });

  it('tells both workers what the fleet says, and the fleet what both have seen', async () => {
    const nats = await startNatsServer();
    const room = await ControlRoom.open(nats.url);
    try {
      await room.putEndpoints('default/pay', 'a', 1, [appAddress]);
      const outboundPolicy = { circuitBreaker: { consecutiveFailures: 50, fleet: { enabled: true } } };
      const stable = { target: { service: 'pay' }, outbound: outboundPolicy };
      await room.putBundle(makeBundle({ target: 'default/pay', version: 1, stable }));
      await start('', ['--nats', nats.url]);
      // The first request makes the target known; then the workers hear where it is.
      await until(async () => (await get(outbound('/'))).status === 200, { what: 'the endpoints have arrived' });
      const agents = await spread(() => outbound('/'));
      await until(() => room.acks.some(({ applied }) => applied.target === 'default/pay'), {
        what: 'the policy is in force',
      });
      const counted = () => room.reports.flatMap(({ report }) => report.targets).filter(({ fail }) => fail > 0);
      await Promise.all(agents.map((agent) => get(outbound('/?status=500'), agent)));
      await until(() => counted().reduce((sum, { fail }) => sum + fail, 0) === agents.length, {
        what: 'the fleet has heard of every failure',
      });
      room.publishVerdict({
        ...blankVerdict,
        ...{ target: 'default/pay', state: 'open', generation: 1, epoch: 'a', ttlMs: 5000, allow: 0, coolMs: 1000 },
      });
      await until(async () => (await get(outbound('/'))).status === 503, { what: 'the verdict is obeyed' });
      const refused = await Promise.all(agents.map((agent) => get(outbound('/'), agent)));
      expect(refused.map(({ status }) => status)).toEqual(agents.map(() => 503));
    } finally {
      await room.close();
      await nats.stop();
    }
  });

  it('drains without losing a request', async () => {
    await start();
    const agents = await spread();
    const pending = agents.map((agent) => get(inbound('/?ms=300'), agent));
    await until(() => inFlight === agents.length, { what: 'the app has them all' });
    const exit = sidecar.stop();
    expect((await Promise.all(pending)).every(({ status }) => status === 200)).toBe(true);
    expect((await exit).code).toBe(0);
  });

  it('goes on when a worker dies, returns its permits and replaces it', async () => {
    await start(
      '{ concurrency: { fixed: { limit: 10 } }, queue: { discipline: fifo, requestsMax: 500, waitMax: 20s } }',
    );
    const agents = await spread();
    const before = (await stats()).traffic[0]!.requests;
    const pending = agents.slice(0, 30).map((agent) => get(inbound('/?ms=1000'), agent).catch(() => null));
    await until(() => inFlight === Math.min(10, agents.length), { what: 'every permit is taken' });
    writeFileSync(join(dir, 'fault'), '0');
    const death = await sidecar.logged('worker died');
    expect(death).toMatchObject({ worker: 0, deaths: 1, level: 'error' });
    await Promise.all(pending);
    await until(async () => (await stats()).workers[0]?.isRunning, { what: 'another worker sits there' });
    expect((await stats()).workers.map(({ deaths }) => deaths)).toEqual([1, 0]);
    await until(async () => (await stats()).traffic[0]!.inFlight === 0, { what: 'nothing is in flight' });
    await until(() => inFlight === 0, { what: 'the app has nothing any more' });
    most = 0;
    const answers = await Promise.all(Array.from({ length: 40 }, () => get(inbound('/?ms=150'))));
    expect([answers.every(({ status }) => status === 200), most]).toEqual([true, 10]);
    expect((await stats()).traffic[0]!.requests).toBeGreaterThanOrEqual(before + 40);
    expect(sidecar.logs.filter(({ msg }) => msg === 'worker died')).toHaveLength(1);
    const ready = await get(`http://${text(sidecar.listening, 'health')}/readyz`);
    expect(ready.status).toBe(200);
  });

  it('opens a breaker for both workers by what both have seen', async () => {
    const file = join(dir, 'pay.yaml');
    const breaker = '{ consecutiveFailures: 6, openFor: 60s, openForMax: 60s }';
    writeFileSync(
      file,
      `apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: pay, namespace: default }
spec: { target: { service: pay }, outbound: { circuitBreaker: ${breaker} } }
`,
    );
    await start('', ['--endpoint', `default/pay=${appAddress}`, '--policy', file]);
    const agents = await spread(() => outbound('/'));
    const answers: number[] = [];
    for (let i = 0; i < 30; i++) answers.push((await get(outbound('/?status=500'), agents[i % agents.length])).status);
    expect(answers).toEqual([...Array(6).fill(500), ...Array(24).fill(503)]);
    const { breakers } = await stats();
    expect(breakers).toEqual([
      { target: 'default/pay', state: 'open', fleet: 'closed', cause: '6 consecutive failures' },
    ]);
    expect(await metric('weir_breaker_transitions_total{upstream="default/pay",from="closed",to="open"}')).toBe(1);
    expect(await metric('weir_requests_total{direction="outbound",upstream="default/pay",outcome="failure"}')).toBe(6);
    expect(sidecar.logs.filter(({ msg }) => msg === 'breaker')).toHaveLength(1);
  });

  it('listens on Unix sockets too, and leaves no file behind', async () => {
    const path = join(dir, 'inbound.sock');
    const args = ['--concurrency', '2', '--app', appAddress, '--app-protocol', 'http1', '--log-format', 'json'];
    sidecar = await startWeir(['sidecar', ...args, ...sidecarDoors.with(1, `unix:${path}`)]);
    expect(text(sidecar.listening, 'inbound')).toBe(`unix:${path}`);
    const status = await new Promise((resolve, reject) => {
      http
        .get({ socketPath: path, path: '/' }, (response) => resolve(response.resume().statusCode))
        .on('error', reject);
    });
    expect(status).toBe(200);
    expect((await sidecar.stop()).code).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it('says which address it cannot have', async () => {
    const taken = appAddress;
    sidecar = await startWeir(
      ['sidecar', '--concurrency', '2', ...sidecarDoors.with(3, taken), '--log-format', 'json'],
      {
        readyMsg: 'cannot start',
      },
    );
    expect(text(sidecar.listening, 'error')).toContain(taken);
    expect((await sidecar.exited).code).toBe(70);
  });
});
