/**
 * The soak. `npm run soak -- --help` says what it takes. A warm-up load, silence, the baseline; then the load; then
 * silence again, and the comparison. Exit codes: 0 all is back · 1 something is not · 64 bad arguments · 130 interrupted.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeFlags } from '../../deploy/local/node-flags.ts';
import { XorShift32 } from '../../proto/kernel/random.ts';
import { programFile } from '../bench/tools.ts';
import { type EchoService, echoClient, spreadChunks, startEcho } from '../support/echo-service.ts';
import { startProgram, text, type WeirProcess } from '../support/process.ts';
import { parseSoakArguments, usage } from './arguments.ts';
import { GrpcLoad } from './grpc-load.ts';
import { RawLoad } from './raw-load.ts';
import { type Place, type Reading, read } from './readings.ts';
import { Tally } from './tally.ts';
import { faults, headline, isQuiet, line, type Row } from './verdict.ts';
import { startHttp1App, startHttp2App, type WebApp } from './web-apps.ts';

/**
 * Long enough for every path to have been compiled and every cache to be full; long runs can afford more of it. What
 * grows after two minutes is compiled code, 0.7 MiB of it up to the fourth, also of the doors that readings come through.
 */
const warmUpMs = { short: 45_000, long: 300_000 } as const;
const longRunMs = 600_000;
/** Idle upstream connections are closed after so long; what is open after ten times that stays open. */
const upstreamIdleMs = 3_000;
const quietMs = 60_000;
const minuteMs = 60_000;
const policy = `apiVersion: weir.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: echo, namespace: shop }
spec:
  target: { service: echo }
  inbound:
    deadline: { default: 30s }
    rateLimits: [{ name: total, scope: perProxy, rate: 10000/s, burst: 1000 }]
    concurrency: { fixed: { limit: 200 } }
    queue: { requestsMax: 100, waitMax: 1s }
  outbound: { circuitBreaker: { consecutiveFailures: 1000 } }
`;

const parsed = parseSoakArguments(process.argv.slice(2));
if (parsed.kind === 'help') console.log(usage);
else if (parsed.kind === 'refused') {
  console.error(`${parsed.message}\nnpm run soak -- --help shows what it takes.`);
  process.exitCode = 64;
} else {
  process.exitCode = await soak(parsed.minutes * minuteMs, parsed.json);
  // grpc-js keeps timers of channels that are closed.
  process.exit();
}

interface Scene {
  readonly places: readonly Place[];
  readonly sidecars: readonly WeirProcess[];
  readonly echo: EchoService;
  readonly apps: readonly WebApp[];
  readonly grpcAddress: string;
  readonly tally: Tally;
  load(): Load;
}

interface Load {
  stop(): Promise<void>;
}

async function soak(loadMs: number, json: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-soak-'));
  const scene = await start(folder);
  const stopAll = async (): Promise<void> => {
    await Promise.all(scene.sidecars.map((sidecar) => sidecar.stop('SIGKILL')));
    scene.echo.stop();
    for (const app of scene.apps) app.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stopAll().finally(() => process.exit(130)));
  try {
    return await run(scene, loadMs, json);
  } finally {
    await stopAll();
  }
}

async function run(scene: Scene, loadMs: number, json: boolean): Promise<number> {
  const names = scene.places.map(({ name }) => name);
  const warmMs = loadMs >= longRunMs ? warmUpMs.long : warmUpMs.short;
  console.log(`warm-up of ${warmMs / 1000} s, then ${loadMs / minuteMs} minutes; MiB after a collection`);
  console.log(headline(names));
  const warm = scene.load();
  for (let waitedMs = 0; waitedMs < warmMs; waitedMs += minuteMs) {
    await delay(Math.min(minuteMs, warmMs - waitedMs));
    await readAll(scene);
  }
  await warm.stop();
  const before = await quiet(scene, new Map());
  show(scene, 'base', before);
  const load = scene.load();
  const startedMs = performance.now();
  for (let minute = 1; performance.now() - startedMs < loadMs; minute++) {
    await delay(Math.min(minuteMs, startedMs + loadMs - performance.now()));
    show(scene, String(minute), await readAll(scene));
  }
  await load.stop();
  const handles = new Map([...before].map(([name, reading]) => [name, reading.handles]));
  const after = await quiet(scene, handles);
  show(scene, 'end', after);
  const found = names.flatMap((name) => faults(name, before.get(name)!, after.get(name)!));
  if (scene.tally.failed > 0) found.push(`${scene.tally.failed} calls ended as they should not`);
  found.push(...(await creditFaults(scene)));
  for (const [what, count] of scene.tally.failures) console.log(`  ${count} × ${what}`);
  console.log(found.length === 0 ? 'all is back where it was' : `NOT BACK:\n  ${found.join('\n  ')}`);
  if (json) {
    const { ok, broken, failed } = scene.tally;
    const ends = { before: Object.fromEntries(before), after: Object.fromEntries(after) };
    console.log(JSON.stringify({ minutes: loadMs / minuteMs, ok, broken, failed, ...ends, faults: found }));
  }
  return found.length === 0 ? 0 : 1;
}

async function start(folder: string): Promise<Scene> {
  const [echo, http1, http2] = await Promise.all([startEcho(), startHttp1App(), startHttp2App()]);
  const policyFile = join(folder, 'policy.yaml');
  writeFileSync(policyFile, policy);
  // On a machine that does other work as well, the loop's lag says nothing about the load.
  const common = ['--shed-lag', '0s', '--policy', policyFile, '--upstream-idle-timeout', `${upstreamIdleMs}ms`];
  const launch = async (name: string, args: readonly string[]): Promise<[WeirProcess, Place]> => {
    const probe = join(folder, `${name}.sock`);
    const doors = ['inbound', 'outbound', 'health', 'metrics', 'admin'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);
    const env = { NODE_OPTIONS: `--import=${programFile('test/soak/probe.js')}`, SOAK_PROBE: probe };
    const command = [
      ...nodeFlags,
      programFile('control-plane/cli/main.js'),
      'sidecar',
      ...doors,
      ...common,
      '--log-level',
      'info',
      ...args,
    ];
    const sidecar = await startProgram(process.execPath, command, { env, cwd: process.cwd() });
    return [sidecar, { name, probe, admin: text(sidecar.listening, 'admin') }];
  };
  const [serverSide, serverPlace] = await launch('server', ['--service', 'shop/echo', '--app', echo.address]);
  const inbound = text(serverSide.listening, 'inbound');
  const endpoints = [`shop/echo=${inbound}`, `shop/web=${http1.address}`, `shop/web2=${http2.address}`];
  const [clientSide, clientPlace] = await launch('client', [
    ...['--service', 'shop/caller', '--upstream', '0=shop/echo'],
    ...endpoints.flatMap((endpoint) => ['--endpoint', endpoint]),
  ]);
  const upstreams: unknown = clientSide.listening.upstreams;
  const grpcAddress =
    typeof upstreams === 'object' && upstreams !== null && 'shop/echo' in upstreams
      ? String(upstreams['shop/echo'])
      : '';
  const outbound = text(clientSide.listening, 'outbound');
  const tally = new Tally();
  const load = (): Load => {
    const random = new XorShift32(7);
    const addresses = { outbound, inbound, http1Authority: 'web.shop', http2Authority: 'web2.shop' };
    const loads = [new GrpcLoad(grpcAddress, tally, random), new RawLoad(addresses, tally, random)];
    for (const part of loads) part.start();
    return {
      async stop() {
        for (const part of loads) part.stop();
        for (let waited = 0; tally.underWay > 0 && waited < quietMs; waited += 100) await delay(100);
        for (const part of loads) part.close();
      },
    };
  };
  const places = [clientPlace, serverPlace];
  return { places, sidecars: [serverSide, clientSide], echo, apps: [http1, http2], grpcAddress, tally, load };
}

async function readAll(scene: Scene): Promise<Map<string, Reading>> {
  const readings = await Promise.all(scene.places.map(read));
  return new Map(scene.places.map(({ name }, at) => [name, readings[at]!]));
}

/** Waits until nothing is open any more, or for as long as that may take; the last reading counts. */
async function quiet(scene: Scene, handlesMax: ReadonlyMap<string, number>): Promise<Map<string, Reading>> {
  await delay(upstreamIdleMs * 3);
  const names = scene.places.map(({ name }) => name);
  const deadlineMs = performance.now() + quietMs;
  for (;;) {
    const readings = await readAll(scene);
    if (isQuiet(readings.values(), handlesMax, names) || performance.now() > deadlineMs) return readings;
    await delay(1000);
  }
}

/** More than any window through both proxies, in both directions: what has leaked would stop it. */
async function creditFaults(scene: Scene): Promise<string[]> {
  const client = echoClient(scene.grpcAddress);
  try {
    const request = Buffer.alloc(4);
    request.writeUInt32BE(16_384);
    let chunks = 0;
    for await (const _chunk of client.spread({ data: request })) chunks++;
    const sent = Buffer.alloc(16 << 20);
    const back = await new Promise<number>((resolve, reject) => {
      const call = client.collect((error, answer) =>
        error === null ? resolve(answer?.data.length ?? 0) : reject(error),
      );
      for (let at = 0; at < sent.length; at += 65_536) call.write({ data: sent.subarray(at, at + 65_536) });
      call.end();
    });
    if (chunks === spreadChunks && back === sent.length) return [];
    return [`credit: ${chunks} of ${spreadChunks} chunks came, ${back} of ${sent.length} bytes went`];
  } catch (error) {
    return [`credit: ${error instanceof Error ? error.message : String(error)}`];
  } finally {
    client.close();
  }
}

function show(scene: Scene, minute: string, readings: ReadonlyMap<string, Reading>): void {
  const { ok, broken, failed } = scene.tally;
  const row: Row = { minute, ok, broken, failed, readings };
  console.log(line(row));
}
