/**
 * What five thousand slow readers do to a proxy and to everyone else: the most memory it takes, and the p99 of quick
 * requests beside them against their p99 alone. The readers read a little of their MiB while it lasts and are then cut
 * off; what they cost is reached soon after they have all been answered. A reader that the proxy has reset (for its cap
 * of memory, say) is counted, not hidden.
 */
import { slowReadersCase } from './cases.ts';
import { plainSetting } from './config-template.ts';
import { type FigureName, rounded } from './figures.ts';
import { flags, type GeneratorResult, lineWith, type Rig, runProgram } from './generators.ts';
import { RssWatch } from './measure.ts';
import type { ProxyKind, RunningProxy } from './proxy-kind.ts';
import type { CaseResult, Row } from './report.ts';
import { type Bench, failureOf, startContext } from './run-case.ts';
import { programFile } from './tools.ts';

const readers = { connections: 250, streams: 20, rate: 4096, path: '/b1m' };
const others = { connections: 5, streams: 50, rps: 500, path: '/b100' };
const othersSeconds = 5;
/** The readers stay until the others are done, however long Node takes to start twice. */
const readersSeconds = 30;
const openDeadlineMs = 20_000;
const metricsDeadlineMs = 5_000;
const mib = 1024 * 1024;
const columns: readonly FigureName[] = [
  'rssMb',
  'capMb',
  'aboveCapMb',
  'p99UnloadedUs',
  'p99Us',
  'p99Ratio',
  'readersServed',
  'readersReset',
];

export async function measureSlowReaders(bench: Bench, originPort: number): Promise<CaseResult> {
  const proxies = new Map<string, Row>();
  const outside = new Map<string, string>();
  for (const kind of bench.kinds) {
    const failure = await failureOf(async () => {
      proxies.set(kind.name, await measureKind(bench, kind, originPort));
    });
    if (failure === null) continue;
    outside.set(kind.name, failure);
    bench.complain(`${kind.name} in ${slowReadersCase.name}: ${failure}`);
  }
  for (const [name, { invalid }] of proxies) {
    if (invalid !== null) bench.complain(`${name} in ${slowReadersCase.name}: ${invalid}`);
  }
  return { name: slowReadersCase.name, columns, proxies, outside };
}

async function measureKind(bench: Bench, kind: ProxyKind, originPort: number): Promise<Row> {
  const { rig, progress } = bench;
  const proxy = await kind.start(startContext(bench, originPort, plainSetting));
  try {
    progress(`${kind.name}: others alone`);
    await runOthers(rig, proxy);
    const alone = await runOthers(rig, proxy);
    progress(`${kind.name}: others beside the readers`);
    const rss = new RssWatch(proxy.child.pid);
    const program = programFile('test/bench/slow-readers.js');
    const args = [program, ...flags({ port: proxy.port, ...readers, seconds: readersSeconds })];
    const child = rig.children.start(process.execPath, args, { core: rig.cores.load });
    try {
      await lineWith(child, '"opened"', openDeadlineMs);
      const beside = await runOthers(rig, proxy);
      child.kill('SIGTERM');
      const counted = parseReaders(await lineWith(child, '"finished"', openDeadlineMs));
      rss.stop();
      return rowOf(await memoryCapMb(proxy), rss.mostMb, alone, beside, counted);
    } finally {
      rss.stop();
      child.kill();
    }
  } finally {
    await proxy.child.stop();
  }
}

async function runOthers(rig: Rig, proxy: RunningProxy): Promise<GeneratorResult> {
  const program = programFile('test/bench/frame-generator.js');
  const args = [program, ...flags({ port: proxy.port, ...others, seconds: othersSeconds })];
  return (await runProgram(rig, process.execPath, args, othersSeconds, () => null)).result;
}

/** What the sidecar's setting lets it hold of content; null where the proxy has no such setting. */
async function memoryCapMb({ metricsPort }: RunningProxy): Promise<number | null> {
  if (metricsPort === undefined) return null;
  const signal = AbortSignal.timeout(metricsDeadlineMs);
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { signal });
  return parseCapMb(await answer.text());
}

export function parseCapMb(metrics: string): number | null {
  const bytes = /^weir_flow_control_buffered_bytes_max (\S+)$/m.exec(metrics)?.[1];
  return bytes === undefined ? null : Number(bytes) / mib;
}

export interface ReaderCount {
  readonly answered: number;
  readonly served: number;
  readonly reset: number;
  /** How the resets came about, for the notes. */
  readonly resets: string;
}

export function parseReaders(line: string): ReaderCount {
  const fields = new Map<string, unknown>(Object.entries(JSON.parse(line)));
  const number = (name: string) => Number(fields.get(name));
  return {
    answered: number('answered'),
    served: number('served'),
    reset: number('reset'),
    resets: String(fields.get('resets') ?? ''),
  };
}

function rowOf(
  capMb: number | null,
  rssMb: number,
  alone: GeneratorResult,
  beside: GeneratorResult,
  counted: ReaderCount,
): Row {
  const p99UnloadedUs = alone.p99Us ?? Number.NaN;
  const p99Us = beside.p99Us ?? Number.NaN;
  const values: Partial<Record<FigureName, number>> = {
    rssMb,
    ...(capMb === null ? {} : { capMb, aboveCapMb: rssMb - capMb }),
    p99UnloadedUs,
    p99Us,
    p99Ratio: p99Us / p99UnloadedUs,
    readersServed: counted.served,
    readersReset: counted.reset,
  };
  const figures = columns.flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [[name, rounded(name, value)] as const];
  });
  const all = readers.connections * readers.streams;
  const failures = alone.failures + beside.failures;
  const unanswered = all - Math.max(counted.answered, counted.reset);
  return {
    figures: Object.fromEntries(figures),
    spread: null,
    notes: [
      ...(unanswered > 0 ? [`${unanswered} readers without an answer`] : []),
      ...(counted.resets === '' ? [] : [`reset: ${counted.resets}`]),
    ],
    invalid: failures > 0 ? `${failures} of the other requests FAILED` : null,
  };
}
