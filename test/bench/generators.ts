/**
 * Runs a load generator for a while and says what it saw. Each is a program of its own on the core that it shares
 * with the origin, so that nothing it does is on the proxy's bill. What it needs before the load (making header
 * blocks, connecting channels) is over when `onStarted` is called.
 */
import { rm } from 'node:fs/promises';
import type { LoadCase } from './cases.ts';
import { type Child, type Children, type Cores, withDeadline } from './children.ts';
import { type H2loadRun, h2loadArguments, type LoadResult, parseH2load, readLogP99Us } from './h2load.ts';
import type { RunningProxy } from './proxy-kind.ts';
import { findTool, programFile } from './tools.ts';

/** Beyond its seconds of load a run may take this long before it is ended as hung. */
const graceMs = 20_000;
const logSecondsMax = 1;

export interface Rig {
  readonly children: Children;
  readonly cores: Cores;
  /** For logs, configurations and files of the origin; on a RAM disk where there is one. */
  readonly scratchFolder: string;
  /** The Go client, built when a case wants it. */
  readonly goClient: string | null;
}

export type GeneratorResult = LoadResult & {
  /** Null where the generator does not say it by the way. */
  readonly p99Us: number | null;
};

/** A moment before the first request and one after the last answer, as `take` sees them. */
export interface TimedRun<T> {
  readonly before: T;
  readonly after: T;
  readonly result: GeneratorResult;
}

export function runGenerator<T>(
  rig: Rig,
  bench: LoadCase,
  proxy: RunningProxy,
  seconds: number,
  take: () => T,
): Promise<TimedRun<T>> {
  const { load, connections, streams } = bench;
  const shape = { port: proxy.port, connections, streams, seconds };
  switch (load.kind) {
    case 'file':
      return timedH2load(rig, h2loadRun(bench, proxy, seconds), seconds, take);
    case 'unique': {
      const args = flags(load.rps === null ? shape : { ...shape, rps: load.rps });
      return runProgram(rig, process.execPath, [programFile('test/bench/frame-generator.js'), ...args], seconds, take);
    }
    case 'grpc-js': {
      const program = programFile('test/bench/grpc-js-generator.js');
      return runProgram(rig, process.execPath, [program, ...flags(shape)], seconds, take);
    }
    case 'grpc-go':
      if (rig.goClient === null) throw new Error('the Go client was not built');
      return runProgram(rig, rig.goClient, flags(shape), seconds, take);
  }
}

export function flags(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

function h2loadRun(bench: LoadCase, proxy: RunningProxy, seconds: number): H2loadRun {
  return {
    port: proxy.port,
    path: bench.load.kind === 'file' ? bench.load.path : '/',
    connections: bench.connections,
    streams: bench.streams,
    tls: bench.setting.tls,
    amount: { seconds },
  };
}

async function timedH2load<T>(rig: Rig, run: H2loadRun, seconds: number, take: () => T): Promise<TimedRun<T>> {
  const before = take();
  const result = await h2load(rig, run, seconds * 1000 + graceMs);
  return { before, after: take(), result: { ...result, p99Us: null } };
}

export async function h2load(rig: Rig, run: H2loadRun, deadlineMs: number): Promise<LoadResult> {
  const child = rig.children.start(findTool('h2load') ?? 'h2load', h2loadArguments(run), { core: rig.cores.load });
  try {
    const exit = await withDeadline(child.exited, deadlineMs, 'h2load hangs');
    if (exit.code !== 0) throw new Error(`h2load ended with ${exit.signal ?? exit.code}: ${child.output.slice(-600)}`);
    return parseH2load(child.output);
  } finally {
    child.kill();
  }
}

/** For the generator that says no percentiles: a short run of its own, with a log. */
export async function runForP99(rig: Rig, bench: LoadCase, proxy: RunningProxy, seconds: number): Promise<number> {
  const logFile = `${rig.scratchFolder}/requests-${proxy.port}.log`;
  const logSeconds = Math.min(seconds, Math.max(logSecondsMax, bench.secondsMin));
  try {
    await h2load(rig, { ...h2loadRun(bench, proxy, logSeconds), logFile }, logSeconds * 1000 + graceMs);
    return await readLogP99Us(logFile);
  } finally {
    await rm(logFile, { force: true });
  }
}

/** Our own generators print `{"event":"started"}` and at the end one line with the result. */
export async function runProgram<T>(
  rig: Rig,
  command: string,
  args: readonly string[],
  seconds: number,
  take: () => T,
): Promise<TimedRun<T>> {
  const child = rig.children.start(command, args, { core: rig.cores.load });
  try {
    const finished = lineWith(child, '"finished"', seconds * 1000 + 2 * graceMs);
    finished.catch(() => {});
    await lineWith(child, '"started"', graceMs);
    const before = take();
    const line = await finished;
    return { before, after: take(), result: parseGeneratorResult(line) };
  } finally {
    child.kill();
  }
}

export function lineWith(child: Child, text: string, deadlineMs: number): Promise<string> {
  return child.firstLine((line) => (line.includes(text) ? line : null), deadlineMs);
}

export function parseGeneratorResult(line: string): GeneratorResult {
  const fields = new Map<string, unknown>(Object.entries(JSON.parse(line)));
  if (fields.get('requests') === 0) throw new Error(`no request was answered: ${fields.get('lastError')}`);
  const number = (name: string) => Number(fields.get(name));
  return {
    requests: number('requests'),
    refusals: 0,
    failures: number('failures'),
    meanUs: number('meanUs'),
    p99Us: number('p99Us'),
    bytes: 0,
  };
}
