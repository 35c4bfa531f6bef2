/**
 * How an ended request is counted, the same on both sides: our refusals by reason, failures of the upstream apart from
 * them, durations only of what reached an upstream.
 */
import { Reason, reasonTable } from '../../proto/reasons.ts';
import type { RouteCounts } from '../policy/route-counts.ts';
import { Outcome } from '../resilience/outcome.ts';
import type { RequestView } from './context.ts';
import type { TrafficStats } from './traffic-stats.ts';

export function countArrival(traffic: TrafficStats): void {
  traffic.begin();
}

/** `route`: what the request's route counts, if it has one. */
export function countEnd(
  traffic: TrafficStats,
  route: RouteCounts | null,
  outcome: number,
  reason: number,
  durationMs: number,
): void {
  traffic.end();
  if (route !== null) countRouteEnd(route, outcome, reason);
  if (reason !== Reason.none && reason !== Reason.cancelled) {
    traffic.rejected[reason]! += 1;
    if (reasonTable[reason]!.kind !== 'upstream') return;
  }
  if (outcome === Outcome.success) traffic.countSuccess();
  else if (outcome === Outcome.failure) traffic.countFailure();
  else traffic.countIgnored();
  traffic.durations.record(durationMs);
}

/** In shadow: it would have been refused. */
export function countWouldReject({ traffic, counts }: Pick<RequestView, 'traffic' | 'counts'>, reason: number): void {
  traffic!.wouldReject[reason]! += 1;
  if (counts !== null) counts.countWouldReject();
}

function countRouteEnd(route: RouteCounts, outcome: number, reason: number): void {
  if (reason !== Reason.none && reason !== Reason.cancelled && reasonTable[reason]!.kind !== 'upstream') {
    route.countRejected();
  } else route.countEnd(outcome);
}

/** In shadow: it took longer than the policy's deadline. */
export function countLate(request: RequestView, nowMs: number): void {
  if (request.shadowDeadlineMs > 0 && nowMs > request.shadowDeadlineMs) countWouldReject(request, Reason.deadline);
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
