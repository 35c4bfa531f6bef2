/** What heartbeats say about the demand for one service: its own instances' rows, and what its callers missed it for. */
import { capacityReasons, type DemandReading, downstreamReasons, noDemand } from './demand.ts';
import type { InstanceRecord } from './instance-record.ts';

export function readDemand(
  service: string,
  own: Iterable<InstanceRecord>,
  callers: Iterable<InstanceRecord>,
  nowMs: number,
): DemandReading {
  const sum = { ...noDemand };
  for (const record of own) {
    const state = record.state(nowMs);
    const series = record.inbound.series;
    const rates = state === 'stale' ? null : (series?.rates() ?? null);
    if (series === null || rates === null) {
      if (!record.heartbeat.draining) sum.unknown++;
      continue;
    }
    // One that drains still has work, which another will have to do, but is no capacity any more.
    if (state === 'live') sum.known++;
    sum.inFlight += series.latest.inFlight;
    sum.queued += series.latest.queueDepth;
    sum.requestsPerSecond += rates.requestsPerSecond;
    sum.finishedPerSecond += rates.successPerSecond + rates.failuresPerSecond;
    sum.shedPerSecond += sumOf(rates.rejectedPerSecond, capacityReasons);
    if (series.latest.concurrencyLimit > 0) {
      sum.limit += series.latest.concurrencyLimit;
      sum.limited++;
    }
    for (const outbound of record.outbound.values()) {
      const refused = outbound.rates()?.rejectedPerSecond;
      if (refused) sum.downstreamRefusedPerSecond += sumOf(refused, downstreamReasons);
    }
  }
  for (const caller of callers) {
    if (!caller.isPresent(nowMs)) continue;
    sum.unservedPerSecond += caller.outbound.get(service)?.rates()?.rejectedPerSecond.no_endpoints ?? 0;
  }
  return sum;
}

function sumOf(perSecond: Readonly<Record<string, number>>, reasons: ReadonlySet<string>): number {
  let sum = 0;
  for (const [reason, rate] of Object.entries(perSecond)) if (reasons.has(reason)) sum += rate;
  return sum;
}
