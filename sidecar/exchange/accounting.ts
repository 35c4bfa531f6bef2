/**
 * How an ended request is counted, the same on both sides: our refusals by reason, failures of the upstream apart from
 * them, durations only of what reached an upstream.
 */
import { Reason, reasonTable } from '../../proto/reasons.ts';
import { Outcome } from '../resilience/outcome.ts';
import type { TrafficStats } from './traffic-stats.ts';

export function countArrival(traffic: TrafficStats): void {
  traffic.begin();
}

export function countEnd(traffic: TrafficStats, outcome: number, reason: number, durationMs: number): void {
  traffic.end();
  if (reason !== Reason.none && reason !== Reason.cancelled) {
    traffic.rejected[reason]! += 1;
    if (reasonTable[reason]!.kind !== 'upstream') return;
  }
  if (outcome === Outcome.success) traffic.countSuccess();
  else if (outcome === Outcome.failure) traffic.countFailure();
  else traffic.countIgnored();
  traffic.durations.record(durationMs);
}

/** What was refused before there was a request to settle. */
export function countRefused(traffic: TrafficStats, reason: number, isRequest: boolean): void {
  if (isRequest) {
    traffic.begin();
    traffic.end();
  }
  traffic.rejected[reason]! += 1;
}

/** The outcome of a request that we ended ourselves for this reason. */
export function outcomeOfReason(reason: number): number {
  return reasonTable[reason]!.kind === 'upstream' ? Outcome.failure : Outcome.ignored;
}
