/** Flow control as operators see it: the process in numbers, and the streams that wait one by one. */
import { type FlowBudget, stallScopeNames } from './flow-budget.ts';
import type { StreamView } from './stream-view.ts';

export type { StreamView } from './stream-view.ts';

export interface FlowReading {
  readonly usedBytes: number;
  readonly peakBytes: number;
  /** Infinity when there is none. */
  readonly capBytes: number;
  /** What peers may send at once without asking again, all connections together. */
  readonly promisedBytes: number;
  /** See FlowBudget. */
  readonly stalledMs: Float64Array;
  readonly streamsLetGo: number;
  readonly connectionsLetGo: number;
  readonly stallResets: number;
  readonly windowGrowths: number;
}

/** More would be no answer that anybody reads. */
export const streamViewsMax = 1000;

export function readFlow(budget: FlowBudget): FlowReading {
  let promisedBytes = 0;
  for (const holder of budget.holders) promisedBytes += holder.promisedBytes;
  const { usedBytes, peakBytes, capBytes, stalledMs } = budget;
  const { streamsLetGo, connectionsLetGo, stallResets, windowGrowths } = budget;
  return {
    usedBytes,
    peakBytes,
    capBytes,
    promisedBytes,
    stalledMs,
    streamsLetGo,
    connectionsLetGo,
    stallResets,
    windowGrowths,
  };
}

/** Of several threads. */
export function sumFlow(readings: readonly FlowReading[]): FlowReading {
  const sum = (of: (reading: FlowReading) => number): number =>
    readings.reduce((total, reading) => total + of(reading), 0);
  const stalledMs = new Float64Array(2 * stallScopeNames.length);
  for (const reading of readings) {
    for (let at = 0; at < stalledMs.length; at++) stalledMs[at]! += reading.stalledMs[at]!;
  }
  return {
    usedBytes: sum((reading) => reading.usedBytes),
    peakBytes: sum((reading) => reading.peakBytes),
    capBytes: sum((reading) => reading.capBytes),
    promisedBytes: sum((reading) => reading.promisedBytes),
    stalledMs,
    streamsLetGo: sum((reading) => reading.streamsLetGo),
    connectionsLetGo: sum((reading) => reading.connectionsLetGo),
    stallResets: sum((reading) => reading.stallResets),
    windowGrowths: sum((reading) => reading.windowGrowths),
  };
}

/** The open streams, those that hold most first. */
export function viewStreams(budget: FlowBudget): StreamView[] {
  const views: StreamView[] = [];
  for (const holder of budget.holders) holder.collectStreams(views);
  return mostHeld(views);
}

export function mostHeld(views: StreamView[]): StreamView[] {
  const weight = (view: StreamView): number => view.queuedBytes + view.heldBytes;
  return views.sort((a, b) => weight(b) - weight(a)).slice(0, streamViewsMax);
}
