/** What can be watched, as watching wants it: each object with its name and version. */
import type { PolicyService } from '../service/policy-service.ts';
import type { RolloutService } from '../service/rollout-service.ts';
import type { Watched } from './resource-watch.ts';

export function watchedPolicies(policies: PolicyService): Watched[] {
  return policies.list().map((policy) => {
    const { name, namespace = '', resourceVersion = '' } = policy.metadata;
    return { namespace, name, version: resourceVersion, object: policy };
  });
}

export function watchedRollouts(rollouts: RolloutService): Watched[] {
  return rollouts.list().map((rollout) => {
    const { namespace, name, resourceVersion } = rollout;
    return { namespace, name, version: resourceVersion, object: rollout };
  });
}
