/** What is seen of priorities: the level in force, and calls that lost the request they were made for. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { levelCount } from '../../proto/tiers.ts';
import type { LevelControl } from '../admission/level-control.ts';
import type { ContextTable } from '../exchange/context-table.ts';

export interface PriorityReading {
  /** Calls of the app that took over the priority of a request. */
  readonly inherited: number;
  readonly unknownTrace: number;
  readonly withoutTrace: number;
  /** Priorities below it are taken in; `levelCount` = all. */
  readonly level: number;
}

export function priorityReading(table: ContextTable, levels: LevelControl | null): PriorityReading {
  return {
    inherited: table.foundTotal,
    unknownTrace: table.unknownTotal,
    withoutTrace: table.untracedTotal,
    level: levels?.level ?? levelCount,
  };
}

/** Threads share the table, so the last to read it knows most; of their levels, the strictest speaks. */
export function sumPriorities(all: readonly PriorityReading[]): PriorityReading {
  return {
    inherited: Math.max(0, ...all.map((one) => one.inherited)),
    unknownTrace: Math.max(0, ...all.map((one) => one.unknownTrace)),
    withoutTrace: Math.max(0, ...all.map((one) => one.withoutTrace)),
    level: Math.min(levelCount, ...all.map((one) => one.level)),
  };
}

export function definePriorityMetrics(registry: Registry, read: () => PriorityReading): void {
  const registers = [registry];
  new Counter({
    name: 'weir_context_inherited_total',
    help: 'Calls of the app that took over the priority of the request they were made for.',
    registers,
    collect() {
      this.reset();
      this.inc(read().inherited);
    },
  });
  new Counter({
    name: 'weir_context_lost_total',
    help: 'Calls of the app that could not: without traceparent, or with one that is not known, or no longer.',
    labelNames: ['cause'],
    registers,
    collect() {
      this.reset();
      this.inc({ cause: 'no_traceparent' }, read().withoutTrace);
      this.inc({ cause: 'unknown_trace' }, read().unknownTrace);
    },
  });
  new Gauge({
    name: 'weir_admission_level',
    help: 'Requests of a lower priority number (128 × tier + user level) are taken in; 768 = all.',
    registers,
    collect() {
      this.set(read().level);
    },
  });
}
