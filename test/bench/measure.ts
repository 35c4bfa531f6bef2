/**
 * One timed run: what the proxy's process has cost between two moments, and how many requests were answered between
 * them. Whatever reads logs or computes percentiles does so outside of those two moments.
 */
import { rm } from 'node:fs/promises';
import type { Case } from './cases.ts';
import { type Children, type Cores, withDeadline } from './children.ts';
import { h2loadArguments, type LoadResult, parseH2load, readLogP99Us } from './h2load.ts';
import { coreTimes, processCpuMs, processRssMb } from './process-stat.ts';
import type { RunningProxy } from './proxies.ts';
import { findTool, programFile } from './tools.ts';

/** Beyond its seconds of load a run may take this long before it is ended as hung. */
const graceMs = 20_000;
const logSecondsMax = 1;

export interface Measure {
  readonly cpuUsPerRequest: number;
  readonly rps: number;
  readonly meanUs: number;
  readonly p99Us: number;
  readonly rssMb: number;
  readonly failures: number;
  readonly requests: number;
  /** Share of the proxy's core that was busy, 0..1; null when nothing is pinned. */
  readonly coreBusy: number | null;
  /** Share of the proxy's core that other processes took, interrupts left out, 0..1. */
  readonly othersBusy: number;
}

export interface Rig {
  readonly children: Children;
  readonly cores: Cores;
  /** For h2load's logs; on a RAM disk where there is one. */
  readonly scratchFolder: string;
}

interface Sample {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly busyMs: number;
  readonly interruptMs: number;
}

function sample(rig: Rig, proxy: RunningProxy): Sample {
  const core = rig.cores.proxy === null ? { busyMs: 0, interruptMs: 0 } : coreTimes(rig.cores.proxy);
  return { atMs: performance.now(), cpuMs: processCpuMs(proxy.child.pid), ...core };
}

export async function measure(rig: Rig, bench: Case, proxy: RunningProxy, seconds: number): Promise<Measure> {
  const timed = bench.load.kind === 'unique' ? runUnique : runH2load;
  const { before, after, result } = await timed(rig, bench, proxy, seconds);
  const wallMs = after.atMs - before.atMs;
  const cpuMs = after.cpuMs - before.cpuMs;
  const busyMs = after.busyMs - before.busyMs;
  const interruptMs = after.interruptMs - before.interruptMs;
  return {
    cpuUsPerRequest: (cpuMs * 1000) / result.requests,
    rps: result.requests / seconds,
    meanUs: result.meanUs,
    p99Us: result.p99Us ?? (await runForP99(rig, bench, proxy, Math.min(seconds, logSecondsMax))),
    rssMb: processRssMb(proxy.child.pid),
    failures: result.failures,
    requests: result.requests,
    coreBusy: rig.cores.proxy === null ? null : Math.min(1, busyMs / wallMs),
    othersBusy: rig.cores.proxy === null ? 0 : Math.max(0, (busyMs - interruptMs - cpuMs) / wallMs),
  };
}

interface TimedRun {
  readonly before: Sample;
  readonly after: Sample;
  readonly result: LoadResult & { readonly p99Us?: number };
}

async function runH2load(rig: Rig, bench: Case, proxy: RunningProxy, seconds: number): Promise<TimedRun> {
  const before = sample(rig, proxy);
  const output = await h2load(rig, bench, proxy, seconds);
  const after = sample(rig, proxy);
  return { before, after, result: parseH2load(output) };
}

async function runForP99(rig: Rig, bench: Case, proxy: RunningProxy, seconds: number): Promise<number> {
  const logFile = `${rig.scratchFolder}/requests-${proxy.port}.log`;
  try {
    await h2load(rig, bench, proxy, seconds, logFile);
    return await readLogP99Us(logFile);
  } finally {
    await rm(logFile, { force: true });
  }
}

async function h2load(rig: Rig, bench: Case, proxy: RunningProxy, seconds: number, logFile?: string): Promise<string> {
  const run = {
    port: proxy.port,
    path: bench.load.kind === 'file' ? bench.load.path : '/',
    connections: bench.connections,
    streams: bench.streams,
    seconds,
    ...(logFile === undefined ? {} : { logFile }),
  };
  const child = rig.children.start(findTool('h2load') ?? 'h2load', h2loadArguments(run), { core: rig.cores.load });
  try {
    const exit = await withDeadline(child.exited, seconds * 1000 + graceMs, 'h2load hangs');
    if (exit.code !== 0) throw new Error(`h2load ended with ${exit.signal ?? exit.code}: ${child.output.slice(-600)}`);
    return child.output;
  } finally {
    child.kill();
  }
}

async function runUnique(rig: Rig, bench: Case, proxy: RunningProxy, seconds: number): Promise<TimedRun> {
  const args = { port: proxy.port, connections: bench.connections, streams: bench.streams, seconds };
  const flags = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const program = programFile('test/bench/unique-generator.js');
  const child = rig.children.start(process.execPath, [program, ...flags], { core: rig.cores.load });
  try {
    // Making the blocks takes a while and costs the proxy nothing: the clock starts after it.
    await child.firstLine((line) => (line.includes('"started"') ? line : null), graceMs);
    const before = sample(rig, proxy);
    const line = await child.firstLine((text) => (text.includes('"finished"') ? text : null), seconds * 1000 + graceMs);
    const after = sample(rig, proxy);
    return { before, after, result: parseUniqueResult(line) };
  } finally {
    child.kill();
  }
}

export function parseUniqueResult(line: string): LoadResult & { p99Us: number } {
  const fields = new Map<string, unknown>(Object.entries(JSON.parse(line)));
  if (fields.get('requests') === 0) throw new Error(`no request was answered: ${fields.get('lastError')}`);
  return {
    requests: Number(fields.get('requests')),
    failures: Number(fields.get('failures')),
    meanUs: Number(fields.get('meanUs')),
    p99Us: Number(fields.get('p99Us')),
  };
}
