/**
 * The benchmark. `npm run bench -- --help` says what it takes. The table goes to the terminal as it grows, case by
 * case; with `--json` the last line is one object for machines.
 *
 * Exit codes: 0 measured · 1 something could not be measured or answered wrongly · 64 bad arguments · 69 a needed
 * tool is missing · 130 interrupted.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchOptions, parseArguments, usage } from './arguments.ts';
import { type Case, cases, idleCase, staticFiles } from './cases.ts';
import { Children, findCores, freePort, untilListening } from './children.ts';
import { measureIdle } from './idle.ts';
import { type Measure, measure, type Rig } from './measure.ts';
import { type ProxyKind, printedPort, proxyKinds, type RunningProxy } from './proxies.ts';
import { type CaseResult, renderCase, summarise, toJson } from './report.ts';
import { findTool, programFile } from './tools.ts';

const startDeadlineMs = 10_000;
let faults = 0;
let interrupted = false;

const parsed = parseArguments(process.argv.slice(2));
if (parsed.kind === 'help') {
  console.log(usage);
} else if (parsed.kind === 'refused') {
  console.error(`${parsed.message}\nnpm run bench -- --help shows what it takes.`);
  process.exitCode = 64;
} else {
  process.exitCode = await run(parsed.options);
}

async function run(options: BenchOptions): Promise<number> {
  const missing = missingTools();
  if (missing !== null) {
    console.error(missing);
    return 69;
  }
  const scratchFolder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'weir-bench-'));
  process.on('exit', () => rmSync(scratchFolder, { recursive: true, force: true }));
  const children = new Children();
  const interrupt = (code: number) => {
    interrupted = true;
    void children.stopAll().finally(() => process.exit(code));
  };
  process.once('SIGINT', () => interrupt(130));
  process.once('SIGTERM', () => interrupt(143));

  const rig: Rig = { children, cores: findCores(findTool('taskset') !== null), scratchFolder };
  if (rig.cores.proxy === null) console.log('note: fewer than two cores, or no taskset: nothing is pinned');
  const present = proxyKinds.filter(({ name }) => options.proxies.includes(name)).filter(isPresent);

  const staticPort = await startStaticOrigin(rig);
  const uniquePort = await startUniqueOrigin(rig);
  const results: CaseResult[] = [];
  if (options.cases.includes(idleCase)) console.log(`\n${await measureIdle(rig, present, staticPort, complain)}`);
  for (const bench of cases.filter(({ name }) => options.cases.includes(name))) {
    const result = await runCase(rig, bench, present, bench.load.kind === 'unique' ? uniquePort : staticPort, options);
    if (interrupted) break;
    results.push(result);
    console.log(`\n${renderCase(result, bench.summary)}`);
  }
  await children.stopAll();
  if (options.json && !interrupted) console.log(toJson(results));
  return faults > 0 ? 1 : 0;
}

function missingTools(): string | null {
  if (!existsSync('/proc/self/stat')) return 'The benchmark reads CPU times from /proc: it needs Linux.';
  const missing = ['h2load', 'nghttpd'].filter((tool) => findTool(tool) === null);
  if (missing.length === 0) return null;
  return `${missing.join(' and ')} not found. On Debian: apt-get install nghttp2-client nghttp2-server`;
}

function isPresent(kind: ProxyKind): boolean {
  const reason = kind.absent();
  if (reason !== null) console.log(`absent: ${kind.name}: ${reason}`);
  return reason === null;
}

function complain(message: string): void {
  if (interrupted) return;
  faults++;
  console.error(`FAULT: ${message}`);
}

async function startStaticOrigin(rig: Rig): Promise<number> {
  for (const { name, bytes } of staticFiles) writeFileSync(join(rig.scratchFolder, name), Buffer.alloc(bytes, 'x'));
  const port = await freePort();
  const args = ['--no-tls', '--address=127.0.0.1', `--htdocs=${rig.scratchFolder}`, String(port)];
  const origin = rig.children.start(findTool('nghttpd') ?? 'nghttpd', args, { core: rig.cores.load });
  await untilListening(origin, port, startDeadlineMs);
  return port;
}

async function startUniqueOrigin(rig: Rig): Promise<number> {
  const program = programFile('test/bench/frame-origin.js');
  const origin = rig.children.start(process.execPath, [program], { core: rig.cores.load });
  return origin.firstLine(printedPort, startDeadlineMs);
}

/** Every proxy is started afresh and warmed up, then they take turns, so that a noisy moment hits all of them. */
async function runCase(
  rig: Rig,
  bench: Case,
  kinds: readonly ProxyKind[],
  originPort: number,
  options: BenchOptions,
): Promise<CaseResult> {
  const running = new Map<string, RunningProxy>();
  const rounds = new Map<string, Measure[]>();
  for (const kind of kinds) {
    await attempt(`${kind.name} does not start`, async () => {
      const proxy = await kind.start({ children: rig.children, core: rig.cores.proxy, originPort });
      running.set(kind.name, proxy);
      await measure(rig, bench, proxy, options.warmUpSeconds);
      rounds.set(kind.name, []);
    });
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, measures] of rounds) {
      const proxy = running.get(name);
      if (proxy === undefined) continue;
      await attempt(`${name} in ${bench.name}`, async () => {
        const measured = await measure(rig, bench, proxy, options.seconds);
        measures.push(measured);
        if (measured.failures > 0)
          complain(`${name} in ${bench.name}: ${measured.failures} requests were not answered 2xx`);
      });
    }
  }
  for (const proxy of running.values()) await proxy.child.stop();
  const measured = [...rounds].filter(([, measures]) => measures.length > 0);
  return { name: bench.name, proxies: new Map(measured.map(([name, measures]) => [name, summarise(measures)])) };
}

async function attempt(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    complain(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
