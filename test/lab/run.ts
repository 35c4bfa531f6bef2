/** One scenario under one policy: every case with every seed, then the metrics and what they are worth. */
import { type LabPolicy, partsFor } from './policies.ts';
import {
  type Experiment,
  type Metric,
  type PolicyParts,
  type Recordings,
  type Rig,
  type Scenario,
  type Size,
  type Target,
  wholeDeadlineMs,
} from './scenario.ts';

export interface Measured {
  readonly metric: Metric;
  /** Over the seeds; NaN when it never came. */
  readonly value: number;
  /** null without a target. */
  readonly met: boolean | null;
}

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly policy: string;
  readonly measured: readonly Measured[];
  /** Of the first seed. */
  readonly recordings: Recordings;
}

export interface RunOptions {
  readonly rig: Rig;
  readonly scenario: Scenario;
  readonly policy: LabPolicy;
  readonly seeds: readonly number[];
  readonly size: Size;
  readonly progress: (step: string) => void;
}

export async function runScenario(options: RunOptions): Promise<ScenarioResult> {
  const { rig, scenario, policy, seeds, size, progress } = options;
  const bySeed: (readonly number[])[] = [];
  let first: Recordings = new Map();
  for (const [i, seed] of seeds.entries()) {
    const recordings = new Map();
    for (const { name, experiment } of scenario.cases(size)) {
      progress(`${policy.name} · ${name} · seed ${seed}`);
      const parts = partsFor(
        policy,
        scenario,
        experiment.services.map((service) => service.name),
      );
      recordings.set(name, await rig.run(withRetriesOnce(experiment, parts), parts, seed));
    }
    bySeed.push(scenario.metrics.map((metric) => metric.of(recordings)));
    if (i === 0) first = recordings;
  }
  const measured = scenario.metrics.map((metric, at): Measured => {
    const value = over(
      metric,
      bySeed.map((values) => values[at]!),
    );
    return { metric, value, met: metric.target === null ? null : meets(value, metric.target) };
  });
  return { scenario, policy: policy.name, measured, recordings: first };
}

/** Where the policy retries, callers do not: one layer only. */
function withRetriesOnce(experiment: Experiment, parts: ReadonlyMap<string, PolicyParts>): Experiment {
  const callers = experiment.callers.map((caller) => {
    const isWeirs = (caller.sidecars ?? 0) > 0 && parts.get(caller.service)?.outbound?.retries !== undefined;
    return isWeirs ? { ...caller, retriesMax: 0, timeoutMs: wholeDeadlineMs(caller) } : caller;
  });
  return { ...experiment, callers };
}

export function meets(value: number, { atLeast, atMost }: Target): boolean {
  return value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY);
}

/** What never came is worse than anything. */
function over({ over: kind, target }: Metric, values: readonly number[]): number {
  const worstLast = target?.atLeast !== undefined ? (a: number, b: number) => b - a : (a: number, b: number) => a - b;
  const known = values.filter((value) => !Number.isNaN(value)).sort(worstLast);
  const at = kind === 'worst' ? values.length - 1 : (values.length - 1) >> 1;
  return known[at] ?? Number.NaN;
}
