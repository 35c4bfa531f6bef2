/** One sidecar as the API shows it. What a stale one last said about its traffic is not its traffic now: unknown. */
import type { InstanceView } from '../../proto/api.ts';
import { breakerStateName } from './breaker-names.ts';
import { type InstanceRecord, rowsMax } from './instance-record.ts';
import { trafficView, unknownTraffic } from './traffic-view.ts';

export function instanceView(record: InstanceRecord, nowMs: number): InstanceView {
  const { heartbeat } = record;
  const { identity } = heartbeat;
  const state = record.state(nowMs);
  const isPresent = state !== 'stale';
  const silentMs = nowMs - record.lastSeenMs;
  const { series } = record.inbound;
  return {
    namespace: identity.namespace,
    service: identity.service,
    instance: identity.instance,
    incarnation: identity.incarnation,
    zone: identity.zone,
    version: identity.version,
    address: heartbeat.address,
    state,
    lastSeenMs: Math.round(silentMs),
    policies: [...record.applied.values()].map(({ target, version, hash, status, message }) => ({
      target,
      version,
      hash,
      status,
      message,
    })),
    breakers: heartbeat.breakers.slice(0, rowsMax).map((breaker) => ({
      target: breaker.target,
      local: breakerStateName(breaker.local),
      fleet: breakerStateName(breaker.fleet),
      generation: breaker.generation,
      ageMs: Math.round(breaker.ageMs + silentMs),
      cause: breaker.cause,
    })),
    inbound: isPresent && series ? trafficView([series], nowMs) : unknownTraffic,
    outbound: [...record.outbound].map(([target, outbound]) => ({
      target,
      traffic: isPresent ? trafficView([outbound], nowMs) : unknownTraffic,
    })),
    rssBytes: heartbeat.process?.rssBytes ?? null,
    bufferedBytes: heartbeat.process?.bufferedBytes ?? null,
    loopLagMs: heartbeat.process?.loopLagMs ?? null,
    uptimeMs: heartbeat.process ? heartbeat.process.uptimeMs + silentMs : null,
  };
}
