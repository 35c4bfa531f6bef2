/**
 * The benchmark. `npm run bench -- --help` says what it takes. The table goes to the terminal as it grows, case by
 * case; with `--json` the last line is one object for machines.
 *
 * Exit codes: 0 measured · 1 something could not be measured or answered wrongly · 64 bad arguments · 69 a needed
 * tool is missing · 130 interrupted. A target that is missed is a result, not a failure.
 */
import { type BenchOptions, estimateMinutes, parseArguments, usage } from './arguments.ts';
import { allCases, type Case, heldStreamsCase, loadCases, millionCase, slowReadersCase, startCase } from './cases.ts';
import { measureHeldStreams } from './held-streams-case.ts';
import { measureMillion } from './million-case.ts';
import { Origins, originOf } from './origins.ts';
import { Progress } from './progress.ts';
import { proxyKinds } from './proxies.ts';
import type { ProxyKind } from './proxy-kind.ts';
import { type CaseResult, renderCase, toJsonCases } from './report.ts';
import { missingTools, prepare } from './rig.ts';
import { type Bench, runCase } from './run-case.ts';
import { measureSlowReaders } from './slow-readers-case.ts';
import { measureStart } from './start-case.ts';
import { isMet, judge, renderVerdicts } from './targets.ts';

let faults = 0;
let interrupted = false;
const progress = new Progress();

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
  const wanted = allCases.filter(({ name }) => options.cases.includes(name));
  const { rig, certificate, absent } = await prepare(wanted, () => {
    interrupted = true;
  });
  if (rig.cores.proxy === null) console.log('note: fewer than two cores, or no taskset: nothing is pinned');
  for (const [name, reason] of absent) console.log(`absent: ${name}: ${reason}`);
  const kinds = proxyKinds.filter(({ name }) => options.proxies.includes(name)).filter(isPresent);
  const cases = wanted.filter(({ name }) => !absent.has(name));
  console.log(`${cases.length} cases, ${kinds.length} proxies: about ${minutes(options, kinds.length)}`);

  const step = (message: string) => progress.step(message);
  const bench: Bench = { rig, kinds, pace: options, certificate, complain, progress: step };
  const origins = new Origins(rig);
  const results: CaseResult[] = [];
  for (const [i, { name, summary }] of cases.entries()) {
    progress.begin(`case ${i + 1} of ${cases.length}: ${name}`);
    const result = await runNamed(bench, origins, name, options.rounds);
    progress.clear();
    if (interrupted) break;
    if (result === null) continue;
    results.push(result);
    console.log(`\n${renderCase(result, summary)}`);
  }
  await rig.children.stopAll();
  if (interrupted) return 130;
  const verdicts = judge(results);
  if (verdicts.length > 0) console.log(`\n${renderVerdicts(verdicts)}`);
  const targets = verdicts.map((verdict) => ({ ...verdict, met: isMet(verdict) }));
  if (options.json) console.log(JSON.stringify({ cases: toJsonCases(results), targets }));
  return faults > 0 ? 1 : 0;
}

async function runNamed(
  bench: Bench,
  origins: Origins,
  name: Case['name'],
  starts: number,
): Promise<CaseResult | null> {
  switch (name) {
    case startCase.name:
      return measureStart(bench, await origins.port('static'), starts);
    case millionCase.name:
      return measureMillion(bench, await origins.port('static'));
    case heldStreamsCase.name:
      return measureHeldStreams(bench);
    case slowReadersCase.name:
      return measureSlowReaders(bench, await origins.port('static'));
  }
  const load = loadCases.find((known) => known.name === name);
  return load === undefined ? null : runCase(bench, load, await origins.port(originOf(load.load)));
}

function minutes(options: BenchOptions, proxies: number): string {
  const estimate = Math.ceil(estimateMinutes(options, proxies));
  return estimate === 1 ? 'a minute' : `${estimate} minutes`;
}

function isPresent(kind: ProxyKind): boolean {
  const reason = kind.absent();
  if (reason !== null) console.log(`absent: ${kind.name}: ${reason}`);
  return reason === null;
}

function complain(message: string): void {
  if (interrupted) return;
  faults++;
  progress.clear();
  console.error(`FAULT: ${message}`);
}
