/**
 * The lab. `npm run lab -- --help` says what it takes. The table goes to the terminal as it grows, scenario by scenario;
 * with `--json` the last line is one array for machines.
 *
 * Exit codes: 0 every target of Weir's own policy is met · 1 one is missed · 64 bad arguments · 130 interrupted.
 */
import { Progress } from '../bench/progress.ts';
import { type LabOptions, parseArguments, usage } from './arguments.ts';
import { rigFor } from './live/rig.ts';
import { absenceOf, labPolicies, weirName } from './policies.ts';
import { writePlots } from './report/plots.ts';
import { renderScenario, toJsonRows } from './report/table.ts';
import { runScenario, type ScenarioResult } from './run.ts';
import type { Rig, Scenario } from './scenario.ts';
import { scenarios } from './scenarios/index.ts';

const progress = new Progress();
const parsed = parseArguments(process.argv.slice(2));
if (parsed.kind === 'help') {
  console.log(usage);
} else if (parsed.kind === 'refused') {
  console.error(`${parsed.message}\nnpm run lab -- --help shows what it takes.`);
  process.exitCode = 64;
} else {
  const rig = rigFor(parsed.options.live);
  if (rig === null) {
    console.error('--live: there is no live rig yet');
    process.exitCode = 64;
  } else process.exitCode = await run(rig, parsed.options);
}

async function run(rig: Rig, options: LabOptions): Promise<number> {
  const wanted = scenarios.filter(({ id }) => options.scenarios.includes(id));
  const results: ScenarioResult[] = [];
  const plots: string[] = [];
  for (const [name, why] of absences(wanted)) console.log(`absent: ${name}: ${why}`);
  for (const [i, scenario] of wanted.entries()) {
    progress.begin(`scenario ${scenario.id} (${i + 1} of ${wanted.length}): ${scenario.title}`);
    const found = await runPolicies(rig, scenario, options);
    progress.clear();
    console.log(`\n${renderScenario(found)}`);
    results.push(...found);
    plots.push(...writePlots(options.out, found));
  }
  const missed = results
    .filter(({ policy }) => policy === weirName)
    .flatMap(({ scenario, measured }) =>
      measured.filter(({ met }) => met === false).map(({ metric }) => `${scenario.id}: ${metric.name}`),
    );
  console.log(missed.length === 0 ? '\nEvery target is met.' : `\nMissed: ${missed.join(' · ')}`);
  if (plots.length > 0) console.log(`Plots: ${plots.join(' ')}`);
  if (options.json) console.log(JSON.stringify(toJsonRows(results, rig.live)));
  return missed.length === 0 ? 0 : 1;
}

async function runPolicies(rig: Rig, scenario: Scenario, options: LabOptions): Promise<ScenarioResult[]> {
  const found: ScenarioResult[] = [];
  const size = options.short ? 'short' : 'full';
  for (const policy of labPolicies) {
    const isOwn = policy.name === weirName;
    if (!isOwn && !(options.compare && scenario.baselines.includes(policy.name))) continue;
    if (absenceOf(policy) !== null) continue;
    const seeds = options.seeds.slice(0, isOwn ? (scenario.seedsMax ?? options.seeds.length) : 1);
    found.push(await runScenario({ rig, scenario, policy, seeds, size, progress: (step) => progress.step(step) }));
  }
  return found;
}

function absences(wanted: readonly Scenario[]): [name: string, why: string][] {
  return labPolicies
    .filter(({ name }) => wanted.some(({ baselines }) => baselines.includes(name)))
    .flatMap((policy) => {
      const why = absenceOf(policy);
      return why === null ? [] : [[policy.name, why] as [string, string]];
    });
}
