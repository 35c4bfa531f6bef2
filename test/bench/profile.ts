/**
 * Where the sidecar's time goes: it runs under V8's sampling profiler for one case of the benchmark, and the functions
 * with the most time in themselves are printed. Times are dearer than without a profiler; their order is what counts.
 *
 *   npm run bench:profile -- --case unary-10x20 [--proxy weir] [--seconds 5] [--top 40] [--keep file.cpuprofile]
 *
 * Exit codes: 0 profiled · 1 it failed · 64 bad arguments · 69 a needed tool is missing · 130 interrupted.
 */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { wholeNumber } from './arguments.ts';
import { type LoadCase, loadCases, warmUpOf } from './cases.ts';
import { withDeadline } from './children.ts';
import { renderProfile, summariseProfile } from './cpu-profile.ts';
import { faultOf, type Measure, measure } from './measure.ts';
import { Origins, originOf } from './origins.ts';
import { proxyKinds } from './proxies.ts';
import type { ProxyKind } from './proxy-kind.ts';
import { missingTools, prepare } from './rig.ts';
import { type Bench, startContext } from './run-case.ts';

const warmUpSeconds = 2;
/** V8's default of 1 ms sees little of functions of 100 ns. */
const sampleIntervalUs = 200;
const endDeadlineMs = 30_000;
const profiled = ['weir', 'weir-outbound', 'node-http2'];

interface ProfileOptions {
  readonly load: LoadCase;
  readonly kind: ProxyKind;
  readonly seconds: number;
  readonly top: number;
  readonly keep: string | null;
}

try {
  const options = readOptions();
  process.exitCode = typeof options === 'string' ? refuse(options) : await run(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
process.exit();

function refuse(message: string): number {
  console.error(
    `${message}\nUsage: npm run bench:profile -- --case unary-10x20 [--proxy weir] [--seconds 5] [--top 40]`,
  );
  console.error('       [--keep file.cpuprofile], which Chrome DevTools and VS Code open');
  return 64;
}

function readOptions(): ProfileOptions | string {
  let values: Partial<Record<'case' | 'proxy' | 'seconds' | 'top' | 'keep', string>>;
  try {
    const string = { type: 'string' } as const;
    ({ values } = parseArgs({ options: { case: string, proxy: string, seconds: string, top: string, keep: string } }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const errors: string[] = [];
  const load = loadCases.find(({ name }) => name === (values.case ?? 'unary-10x20'));
  const kind = proxyKinds.find(({ name }) => profiled.includes(name) && name === (values.proxy ?? 'weir'));
  if (load === undefined) errors.push(`--case takes one of ${loadCases.map(({ name }) => name).join(', ')}`);
  if (kind === undefined) errors.push(`--proxy takes one of ${profiled.join(', ')}`);
  const seconds = wholeNumber('--seconds', values.seconds, 5, 600, errors);
  const top = wholeNumber('--top', values.top, 40, 1000, errors);
  if (load === undefined || kind === undefined || errors.length > 0) return errors.join('\n');
  return { load, kind, seconds, top, keep: values.keep ?? null };
}

async function run({ load, kind, seconds, top, keep }: ProfileOptions): Promise<number> {
  const missing = missingTools();
  if (missing !== null) {
    console.error(missing);
    return 69;
  }
  const { rig, certificate, absent } = await prepare([load], () => {});
  const reason = absent.get(load.name) ?? kind.absent() ?? kind.cannot(load.setting);
  if (reason !== null) throw new Error(`${kind.name} in ${load.name}: ${reason}`);
  const folder = mkdtempSync(join(rig.scratchFolder, 'profile-'));
  const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${sampleIntervalUs}`];
  const silent = () => {};
  const pace = { seconds, rounds: 1, warmUpSeconds };
  const bench: Bench = { rig, kinds: [kind], pace, certificate, complain: silent, progress: silent };
  const originPort = await new Origins(rig).port(originOf(load.load));
  const proxy = await kind.start({ ...startContext(bench, originPort, load.setting), nodeFlags });
  try {
    await measure(rig, warmUpOf(load), proxy, { seconds: warmUpSeconds, withP99: false });
    const fromUs = nowUs();
    const measured = await measure(rig, load, proxy, { seconds, withP99: false });
    const span = { fromUs, toUs: nowUs() };
    const fault = faultOf(measured);
    if (fault !== null) console.error(`the load was not answered as it should be: ${fault}`);
    // Node writes the profile when it ends by itself.
    proxy.child.kill('SIGTERM');
    await withDeadline(proxy.child.exited, endDeadlineMs, `${kind.name} does not end`);
    const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'));
    if (file === undefined) throw new Error(`${kind.name} left no profile: ${proxy.child.output.slice(-300)}`);
    if (keep !== null) copyFileSync(join(folder, file), keep);
    const summary = summariseProfile(readFileSync(join(folder, file), 'utf8'), span);
    console.log(`${load.name}: ${load.summary}; ${kind.name}, by the kernel ${cost(measured)} µs of CPU per request`);
    console.log(renderProfile(summary, measured.requests, top));
    return fault === null ? 0 : 1;
  } finally {
    await rig.children.stopAll();
  }
}

function nowUs(): number {
  return Number(process.hrtime.bigint()) / 1000;
}

function cost({ cpuUsPerRequest }: Measure): string {
  return cpuUsPerRequest.toFixed(2);
}
