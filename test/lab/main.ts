/**
 * The lab. `npm run lab -- --help` says what it takes. The table goes to the terminal as it grows, scenario by scenario;
 * with `--json` the last line is one array for machines.
 *
 * Exit codes: 0 every target of Weir's own policy is met · 1 one is missed · 64 bad arguments · 130 interrupted.
 */
import { Progress } from '../bench/progress.ts';
import { type LabOptions, parseArguments, usage } from './arguments.ts';
import { type Contestant, contestants, liveScenarios, takesPart } from './contestants.ts';
import { resultOf } from './fleet/fleet-scenario.ts';
import { fleetScenarios } from './fleet/scenarios/index.ts';
import { refusedWishes, weirName } from './policies.ts';
import { writePlots } from './report/plots.ts';
import { renderScenario, toJsonRows } from './report/table.ts';
import { runScenario, type ScenarioResult } from './run.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios/index.ts';

const progress = new Progress();
const parsed = parseArguments(process.argv.slice(2));
if (parsed.kind === 'help') {
  console.log(usage);
} else if (parsed.kind === 'refused') {
  console.error(`${parsed.message}\nnpm run lab -- --help shows what it takes.`);
  process.exitCode = 64;
} else process.exitCode = await run(parsed.options);

async function run(options: LabOptions): Promise<number> {
  const wanted = scenarios.filter(
    ({ id }) => options.scenarios.includes(id) && (!options.live || liveScenarios.includes(id)),
  );
  const all = contestants(options.live);
  const results: ScenarioResult[] = [];
  const plots: string[] = [];
  const ofFleet = options.live ? [] : fleetScenarios.filter(({ id }) => options.scenarios.includes(id));
  const left = options.scenarios.filter((id) => ![...wanted, ...ofFleet].some((scenario) => scenario.id === id));
  if (left.length > 0) console.log(`in simulated time only: ${left.join(', ')}`);
  for (const { policy, absent } of all.filter((one) =>
    wanted.some((scenario) => takesPart(one, scenario, options.compare)),
  )) {
    if (absent !== null) console.log(`absent: ${policy.name}: ${absent}`);
    const additions = wanted.flatMap((scenario) => Object.values(scenario.additions ?? {}).flat());
    for (const wish of refusedWishes(policy, policy.name === weirName ? additions : [])) {
      console.log(`left out of ${policy.name}: ${wish}`);
    }
  }
  for (const [i, scenario] of wanted.entries()) {
    progress.begin(`scenario ${scenario.id} (${i + 1} of ${wanted.length}): ${scenario.title}`);
    const found = await runContestants(all, scenario, options);
    progress.clear();
    console.log(`\n${renderScenario(found)}`);
    results.push(...found);
    plots.push(...writePlots(options.out, found));
  }
  for (const scenario of ofFleet) {
    progress.begin(`scenario ${scenario.id}: ${scenario.title}`);
    const measures = scenario.measure(options.short ? 'short' : 'full', (step) => progress.step(step));
    const found = resultOf(scenario, measures, weirName);
    progress.clear();
    console.log(`\n${renderScenario([found])}`);
    results.push(found);
  }
  const missed = results
    .filter(({ policy }) => policy === weirName)
    .flatMap(({ scenario, measured }) =>
      measured.filter(({ met }) => met === false).map(({ metric }) => `${scenario.id}: ${metric.name}`),
    );
  console.log(missed.length === 0 ? '\nEvery target is met.' : `\nMissed: ${missed.join(' · ')}`);
  if (plots.length > 0) console.log(`Plots: ${plots.join(' ')}`);
  if (options.json) console.log(JSON.stringify(toJsonRows(results, options.live)));
  return missed.length === 0 ? 0 : 1;
}

async function runContestants(
  all: readonly Contestant[],
  scenario: Scenario,
  options: LabOptions,
): Promise<ScenarioResult[]> {
  const found: ScenarioResult[] = [];
  const size = options.short ? 'short' : 'full';
  for (const contestant of all) {
    const { policy, rig, absent } = contestant;
    if (absent !== null || !takesPart(contestant, scenario, options.compare)) continue;
    const seeds = options.seeds.slice(0, policy.name === weirName ? (scenario.seedsMax ?? options.seeds.length) : 1);
    found.push(await runScenario({ rig, scenario, policy, seeds, size, progress: (step) => progress.step(step) }));
  }
  return found;
}
