/**
 * The policies of a file, for a sidecar that has no control plane or waits for one. Several policies for one target are
 * settled by the rule of the control plane (proto/policy/resolve.ts), so the same documents mean the same in both.
 */
import { resolvePolicies } from '../../proto/policy/resolve.ts';
import { namespaceOf, type PolicySpec, type TrafficPolicy } from '../../proto/policy/schema.ts';

export interface FilePolicies {
  /** By target, `<namespace>/<service>`. */
  readonly specs: ReadonlyMap<string, PolicySpec>;
  /** One line for each document that has no effect. */
  readonly overridden: readonly string[];
}

export function policiesByTarget(policies: Iterable<TrafficPolicy>): FilePolicies {
  const specs = new Map<string, PolicySpec>();
  const overridden: string[] = [];
  const nameOf = (policy: TrafficPolicy): string => `${namespaceOf(policy)}/${policy.metadata.name}`;
  for (const resolution of resolvePolicies(policies).values()) {
    specs.set(resolution.target, resolution.inForce.spec);
    for (const policy of resolution.overridden) {
      overridden.push(
        `${nameOf(policy)} has no effect: ${nameOf(resolution.inForce)} is about ${resolution.target} too`,
      );
    }
  }
  return { specs, overridden };
}
