/** Policies that come from a file instead of the control plane. */
import type { PolicySpec } from '../proto/policy/schema.ts';
import type { PolicyOrigin, StandingPolicy } from './policy/swap.ts';

export const filePolicyOrigin: PolicyOrigin = { epoch: '', version: 0, hash: 'file' };

/** Policies of a file, in force in one thread. */
export function standingPolicies(specs: ReadonlyMap<string, PolicySpec>): Map<string, StandingPolicy> {
  const unshared = { origin: filePolicyOrigin, inbound: null, outbound: null };
  return new Map([...specs].map(([target, spec]) => [target, { spec, ...unshared }]));
}
