/** The results as a table for people and as rows for machines. */
import type { ScenarioResult } from '../run.ts';
import type { Metric, Target } from '../scenario.ts';

export interface JsonRow {
  readonly scenario: number;
  readonly live: boolean;
  readonly policy: string;
  readonly metric: string;
  /** null: it never came. */
  readonly value: number | null;
  /** null: shown only. */
  readonly target: number | null;
  readonly met: boolean | null;
}

export function toJsonRows(results: readonly ScenarioResult[], live: boolean): JsonRow[] {
  return results.flatMap(({ scenario, policy, measured }) =>
    measured.map(({ metric, value, met }) => ({
      scenario: scenario.id,
      live,
      policy,
      metric: metric.name,
      value: Number.isFinite(value) ? Number(value.toPrecision(6)) : null,
      target: metric.target?.atLeast ?? metric.target?.atMost ?? null,
      met,
    })),
  );
}

/** One scenario: a row for each metric, a column for each policy. */
export function renderScenario(results: readonly ScenarioResult[]): string {
  const first = results[0]!;
  const header = ['', 'target', ...results.map(({ policy }) => policy)];
  const rows = first.scenario.metrics.map((metric, at) => [
    metric.name,
    targetText(metric),
    ...results.map(({ measured }) => {
      const { value, met } = measured[at]!;
      return `${valueText(value, metric.unit)}${met === null ? '  ' : met ? ' ✓' : ' ✗'}`;
    }),
  ]);
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  return [`Scenario ${first.scenario.id}: ${first.scenario.title}`, ...lines.map((line) => `  ${line.trimEnd()}`)].join(
    '\n',
  );
}

function targetText({ target, unit }: Metric): string {
  if (target === null) return '';
  return boundText(target, unit);
}

function boundText({ atLeast, atMost }: Target, unit: Metric['unit']): string {
  const bounds: string[] = [];
  if (atLeast !== undefined) bounds.push(`≥ ${valueText(atLeast, unit)}`);
  if (atMost !== undefined) bounds.push(`≤ ${valueText(atMost, unit)}`);
  return bounds.join(', ');
}

export function valueText(value: number, unit: Metric['unit']): string {
  if (Number.isNaN(value)) return 'never';
  if (!Number.isFinite(value)) return String(value);
  if (unit === '%') return `${trimmed(value * 100, 1)} %`;
  return unit === '' ? trimmed(value, 2) : `${trimmed(value, value < 10 ? 2 : 0)} ${unit}`;
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
