/** A scenario of the table that is about the fleet's protocols: it runs worlds of its own and says what it measured. */
import { meets, type ScenarioResult } from '../run.ts';
import type { Metric, Scenario, Size, Target } from '../scenario.ts';

export interface Measure {
  readonly name: string;
  readonly unit: Metric['unit'];
  readonly target: Target | null;
  /** NaN: it never came. */
  readonly value: number;
}

export interface FleetScenario {
  readonly id: number;
  readonly title: string;
  measure(size: Size, progress: (step: string) => void): readonly Measure[];
}

/** In the form of the other scenarios, for one table of all. */
export function resultOf({ id, title }: FleetScenario, measures: readonly Measure[], policy: string): ScenarioResult {
  const measured = measures.map(({ name, unit, target, value }) => {
    const metric: Metric = { name, unit, target, of: () => value };
    return { metric, value, met: target === null ? null : meets(value, target) };
  });
  const scenario: Scenario = {
    id,
    title,
    cases: () => [],
    metrics: measured.map(({ metric }) => metric),
    baselines: [],
  };
  return { scenario, policy, measured, recordings: new Map() };
}

/** What never came is worse than anything. */
export function worst(values: readonly number[]): number {
  return values.some(Number.isNaN) ? Number.NaN : Math.max(...values);
}

export function seedsFor(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
