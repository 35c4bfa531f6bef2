/**
 * One control plane under a large fleet: what it costs while all is well, and while everybody reports ten times a second;
 * and how long a policy is under way to all of them, also when messages are lost.
 *
 *   npm run bench:fleet -- [--sidecars 10000] [--seconds 20]
 *
 * nats-server, the control plane and the sidecars are processes of their own. Exit codes: 0 all within bounds · 1 not ·
 * 64 bad arguments.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { guardChild } from '../../../control-plane/cli/child-guard.ts';
import { startControlLink } from '../../../sidecar/io/control-link/control-link.ts';
import { FakeMesh } from '../../support/fake-mesh.ts';
import { startNatsServer } from '../../support/nats-server.ts';
import { startWeir, text } from '../../support/process.ts';
import { until } from '../../support/until.ts';
import { processCpuMs, processRssMb } from '../process-stat.ts';
import { programFile } from '../tools.ts';
import type { GeneratorOrder, GeneratorReading } from './generator.ts';

const { values } = parseArgs({
  options: { sidecars: { type: 'string', default: '10000' }, seconds: { type: 'string', default: '20' } },
});
const sidecars = Number(values.sidecars);
const seconds = Number(values.seconds);
if (!Number.isInteger(sidecars) || sidecars < 100 || sidecars > 20_000 || !(seconds >= 1 && seconds <= 600)) {
  console.error('--sidecars takes 100 to 20000, --seconds 1 to 600');
  process.exit(64);
}

interface Line {
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  readonly bound: number;
}

const lines: Line[] = [];
const show = (what: string, measured: number, unit: string, bound: number): void => {
  lines.push({ what, measured, unit, bound });
  const figure = measured.toFixed(measured < 10 ? 2 : 0);
  console.log(`${measured <= bound ? 'ok  ' : 'MISS'} ${what}: ${figure} ${unit} (at most ${bound})`);
};

const nats = await startNatsServer();
const controlPlane = await startWeir(['control-plane', '--listen', '127.0.0.1:0', '--nats', nats.url], {
  timeoutMs: 30_000,
});
const api = text(controlPlane.listening, 'api');
const child = fork(programFile('test/bench/fleet/generator.js'), { detached: true });
guardChild(child);

async function tell(order: GeneratorOrder): Promise<GeneratorReading> {
  const answer = once(child, 'message');
  child.send(order);
  const [reading] = await answer;
  return reading;
}

/** The cost of the control plane over some seconds, and what it was sent. */
async function cost(what: string, coresMax: number): Promise<void> {
  const [cpuMs, natsMs, before, fromMs] = [
    processCpuMs(controlPlane.pid),
    processCpuMs(nats.pid),
    await tell({ kind: 'count', version: 0 }),
    performance.now(),
  ];
  let rssMb = 0;
  for (let second = 0; second < seconds; second++) {
    await delay(1000);
    rssMb = Math.max(rssMb, processRssMb(controlPlane.pid));
  }
  const after = await tell({ kind: 'count', version: 0 });
  const tookMs = performance.now() - fromMs;
  const cores = (processCpuMs(controlPlane.pid) - cpuMs) / tookMs;
  const natsCores = (processCpuMs(nats.pid) - natsMs) / tookMs;
  const perSecond = ((after.sent - before.sent) * 1000) / tookMs;
  console.log(
    `     ${what}: ${perSecond.toFixed(0)} messages/s; nats-server ${natsCores.toFixed(2)} cores, ` +
      `generator ${((after.cpuMs - before.cpuMs) / tookMs).toFixed(2)}`,
  );
  show(`${what}, CPU`, cores, 'cores', coresMax);
  show(`${what}, memory`, rssMb, 'MB', 400);
}

let version = 0;
async function change(): Promise<number> {
  version++;
  const spec = {
    target: { service: 'payments' },
    inbound: { concurrency: { fixed: { limit: version } } },
    outbound: { circuitBreaker: { consecutiveFailures: 5 } },
  };
  const metadata = { name: 'payments', namespace: 'bench' };
  const body = JSON.stringify({ apiVersion: 'weir.dev/v1alpha1', kind: 'TrafficPolicy', metadata, spec });
  const path = `${api}/v1/namespaces/bench/policies`;
  const headers = { 'content-type': 'application/json' };
  const fromMs = performance.now();
  if (version === 1) {
    const created = await fetch(path, { method: 'POST', headers, body });
    if (created.status !== 201) throw new Error(await created.text());
    return fromMs;
  }
  const current = await fetch(`${path}/payments`);
  const etag = current.headers.get('etag') ?? '';
  const replaced = await fetch(`${path}/payments`, { method: 'PUT', headers: { ...headers, 'if-match': etag }, body });
  if (replaced.status !== 200) throw new Error(await replaced.text());
  return fromMs;
}

/** From the request to the API until everybody obeys. */
async function push(): Promise<number> {
  const fromMs = await change();
  const all = async () => (await tell({ kind: 'count', version })).applied === sidecars;
  await until(all, { what: 'all have the policy', timeoutMs: 30_000, intervalMs: 5 });
  return performance.now() - fromMs;
}

const worst = async (times: number): Promise<number> => {
  let most = 0;
  for (let i = 0; i < times; i++) {
    most = Math.max(most, await push());
    await delay(1000);
  }
  return most;
};

try {
  await live();
  await tell({ kind: 'start', url: nats.url, sidecars, reportIntervalMs: 1000 });
  await delay(5_000);
  await cost('at rest', 0.5);
  show('a policy reaches all', await worst(3), 'ms', 1000);
  await tell({ kind: 'lose', share: 0.01 });
  show('a policy reaches all, 1 % of messages lost', await worst(3), 'ms', 1000);
  await tell({ kind: 'lose', share: 0 });
  await tell({ kind: 'report', intervalMs: 100 });
  await delay(3_000);
  await cost('all report at 10 Hz', 1);
} finally {
  for (const { level, msg, ...fields } of controlPlane.logs) {
    if (level === 'warn' || level === 'error') console.error(level, msg, JSON.stringify(fields).slice(0, 200));
  }
  child.disconnect();
  await controlPlane.stop();
  await nats.stop();
}
process.exit(lines.every(({ measured, bound }) => measured <= bound) ? 0 : 1);

/** Twenty real control links: the 99th percentile over 50 changes. */
async function live(): Promise<void> {
  const meshes = Array.from({ length: 20 }, (_, index) => new FakeMesh(`live-${index}`, 'live', index + 1));
  for (const mesh of meshes) mesh.useTarget('bench/payments');
  const links = meshes.map((mesh) => startControlLink(mesh, { servers: [nats.url] }));
  await until(() => links.every((link) => link.connected), { what: 'all are connected' });
  const tooks: number[] = [];
  for (let i = 0; i < 50; i++) {
    const seen = meshes.map((mesh) => mesh.applied.length);
    const fromMs = await change();
    await until(() => meshes.every((mesh, index) => mesh.applied.length > seen[index]!), {
      what: 'the twenty have it',
      intervalMs: 1,
    });
    tooks.push(performance.now() - fromMs);
  }
  await Promise.all(links.map((link) => link.close()));
  tooks.sort((a, b) => a - b);
  console.log(
    `     a policy reaches 20 live sidecars, median: ${tooks[25]!.toFixed(0)} ms, worst ${tooks[49]!.toFixed(0)} ms`,
  );
  show('a policy reaches 20 live sidecars, p99', tooks[Math.ceil(tooks.length * 0.99) - 1]!, 'ms', 200);
}
