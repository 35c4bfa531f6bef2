/**
 * The breaker matrix: one cell per caller × target, from what every live sidecar of the caller says about its own
 * breaker. The cell shows the worst state and how many are in which, so that hosts that disagree are seen to.
 */
import type { BreakerCellView, BreakerStateName } from '../../proto/api.ts';
import { breakerSeverity, breakerStateName, worse } from './breaker-names.ts';
import { rowsMax } from './instance-record.ts';
import type { Instances } from './instances.ts';

type CellInstance = BreakerCellView['instances'][number];

export const cellsMax = 5_000;

export function breakerCells(instances: Instances, nowMs: number): BreakerCellView[] {
  const cells: BreakerCellView[] = [];
  for (const caller of instances.services()) {
    for (const [target, rows] of rowsByTarget(caller, instances, nowMs)) {
      if (cells.length < cellsMax) cells.push(cellOf(caller, target, rows));
    }
  }
  return cells.sort((a, b) => byText(a.caller, b.caller) || byText(a.target, b.target));
}

function rowsByTarget(caller: string, instances: Instances, nowMs: number): Map<string, CellInstance[]> {
  const byTarget = new Map<string, CellInstance[]>();
  for (const record of instances.of(caller)) {
    if (!record.isPresent(nowMs)) continue;
    for (const breaker of record.heartbeat.breakers.slice(0, rowsMax)) {
      const row: CellInstance = {
        instance: record.heartbeat.identity.instance,
        local: breakerStateName(breaker.local),
        fleet: breakerStateName(breaker.fleet),
        ageMs: Math.round(breaker.ageMs + nowMs - record.lastSeenMs),
        cause: breaker.cause,
      };
      const rows = byTarget.get(breaker.target);
      if (rows) rows.push(row);
      else byTarget.set(breaker.target, [row]);
    }
  }
  return byTarget;
}

/** By code unit: comparing by locale costs a hundred times as much. */
const byText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

const effective = (row: CellInstance): BreakerStateName => worse(row.local, row.fleet);

function cellOf(caller: string, target: string, rows: CellInstance[]): BreakerCellView {
  rows.sort((a, b) => breakerSeverity(effective(b)) - breakerSeverity(effective(a)) || byText(a.instance, b.instance));
  const counts: Record<string, number> = {};
  for (const row of rows) counts[effective(row)] = (counts[effective(row)] ?? 0) + 1;
  const worst = rows[0]!;
  const state = effective(worst);
  return {
    caller,
    target,
    state,
    fleet: worst.fleet === state && state !== 'closed',
    counts,
    ageMs: worst.ageMs,
    cause: worst.cause,
    instances: rows,
  };
}
