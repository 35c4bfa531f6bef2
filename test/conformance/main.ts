/**
 * Conformance, by the tools of others: `npm run conformance -- --help` says what it takes. One line a case that did not
 * pass, a table at the end; with `--json` the last line is one object for machines.
 *
 * Exit codes: 0 nothing failed · 1 a case failed · 64 bad arguments. A peer that is not on this machine is named with the
 * command that gets it; with `--require-all` that counts as a failure.
 */

import { grpcInteropSuite } from './grpc-interop.ts';
import { h2specSuites } from './h2spec.ts';
import { curlSuite, nghttpSuite } from './http-tools.ts';
import { negativeSuite } from './negative.ts';
import { buildMissing } from './peers.ts';
import type { CaseResult, Suite, SuiteOutcome, Verdict } from './suite.ts';

const suites: readonly Suite[] = [...h2specSuites, grpcInteropSuite, negativeSuite, nghttpSuite, curlSuite];

const usage = `npm run conformance -- [options]

  --suite <name>   only this one; may be given more than once:
${suites.map(({ name, about }) => `                     ${name.padEnd(14)} ${about}`).join('\n')}
  --build          first build the peers that are missing and that Go can build
  --require-all    a missing peer is a failure
  --json           the last line is the result as JSON
  --help           this text`;

interface Options {
  readonly chosen: readonly Suite[];
  readonly build: boolean;
  readonly requireAll: boolean;
  readonly json: boolean;
}

// What a failed suite left open must not keep the process.
process.exit(await main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    console.log(usage);
    return 0;
  }
  const options = parse(argv);
  if (typeof options === 'string') {
    console.error(`${options}\nnpm run conformance -- --help shows what it takes.`);
    return 64;
  }
  if (options.build) for (const failure of await buildMissing()) console.error(`cannot build ${failure}`);
  const outcomes: [Suite, SuiteOutcome][] = [];
  for (const suite of options.chosen) {
    const outcome = await runSuite(suite);
    outcomes.push([suite, outcome]);
    report(suite, outcome);
  }
  console.log(`\n${table(outcomes)}`);
  if (options.json) {
    console.log(JSON.stringify({ suites: outcomes.map(([{ name }, outcome]) => ({ name, ...outcome })) }));
  }
  const hasFailed = outcomes.some(([, outcome]) =>
    outcome.kind === 'absent' ? options.requireAll : count(outcome.cases, 'failed') > 0,
  );
  return hasFailed ? 1 : 0;
}

function parse(argv: readonly string[]): Options | string {
  const chosen: Suite[] = [];
  const flags = new Set<string>();
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    if (argument === '--suite') {
      i++;
      const suite = suites.find(({ name }) => name === argv[i]);
      if (suite === undefined) return `there is no suite "${argv[i] ?? ''}"`;
      chosen.push(suite);
    } else if (['--build', '--require-all', '--json'].includes(argument)) flags.add(argument);
    else return `unknown argument "${argument}"`;
  }
  return {
    chosen: chosen.length === 0 ? suites : chosen,
    build: flags.has('--build'),
    requireAll: flags.has('--require-all'),
    json: flags.has('--json'),
  };
}

/** A suite that breaks is a failed case, not the end of the others. */
async function runSuite(suite: Suite): Promise<SuiteOutcome> {
  try {
    return await suite.run();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { kind: 'ran', cases: [{ name: 'the suite itself', verdict: 'failed', detail }] };
  }
}

function report({ name }: Suite, outcome: SuiteOutcome): void {
  if (outcome.kind === 'absent') {
    console.log(`${name}: ${outcome.program} is not here. To get it:\n  ${outcome.howToGet}`);
    return;
  }
  console.log(`${name}: ${count(outcome.cases, 'passed')} of ${outcome.cases.length} passed`);
  for (const { name: caseName, verdict, detail } of outcome.cases) {
    if (verdict !== 'passed') console.log(`  ${verdict}: ${caseName}${detail === '' ? '' : `\n    ${detail}`}`);
  }
}

function count(cases: readonly CaseResult[], verdict: Verdict): number {
  return cases.filter((result) => result.verdict === verdict).length;
}

function table(outcomes: readonly (readonly [Suite, SuiteOutcome])[]): string {
  const rows = outcomes.map(([{ name }, outcome]) =>
    outcome.kind === 'absent'
      ? [name, '', '', '', `absent: ${outcome.program}`]
      : [name, ...(['passed', 'failed', 'skipped'] as const).map((verdict) => `${count(outcome.cases, verdict)}`), ''],
  );
  const all = [['suite', 'passed', 'failed', 'skipped', ''], ...rows];
  return all
    .map(([name = '', ...cells]) => `${name.padEnd(16)}${cells.map((cell) => cell.padStart(9)).join('')}`.trimEnd())
    .join('\n');
}
