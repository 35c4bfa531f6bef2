/** Parts of what the admin door shows, in words and names instead of codes. */
import type { Target } from '../exchange/targets.ts';
import { stallScopeNames } from '../http2/flow-budget.ts';
import type { FlowReading } from '../http2/flow-view.ts';
import type { LivePolicy } from '../policy/swap.ts';
import type { EndpointHealthReading } from './upstream/endpoint-health.ts';

export function flowView({ capBytes, stalledMs, ...flow }: FlowReading): unknown {
  const stalled = [...stalledMs].map(Math.round);
  const scopes = stallScopeNames.length;
  const byScope = (from: number): Record<string, number> =>
    Object.fromEntries(stallScopeNames.map((name, i) => [name, stalled[from + i]!]));
  return {
    ...flow,
    capBytes: Number.isFinite(capBytes) ? capBytes : null,
    stalledMs: { downstream: byScope(0), upstream: byScope(scopes) },
  };
}

export function policyView(policy: LivePolicy): unknown {
  return { target: policy.target, epoch: policy.epoch, version: policy.version, hash: policy.hash };
}

export function endpointsView({ cluster, policy }: Target, reading: EndpointHealthReading | undefined): unknown {
  const isChecked = policy.outbound.healthCheck !== null;
  return cluster.endpoints.map(({ address, instance, zone, draining }) => {
    const state = reading?.notable.find((notable) => notable.address === address);
    const { healthy = true, reachable = true, lastCheck = '', ejected = '', breaker = '' } = state ?? {};
    const check = isChecked ? lastCheck || 'ok' : '';
    return { address, instance, zone, draining, healthy, reachable, lastCheck: check, ejected, breaker };
  });
}
