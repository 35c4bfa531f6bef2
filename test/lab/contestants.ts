/**
 * Who takes part, on which rig: in simulated time Weir's own policy and the algorithms that it is compared with; in real
 * time Weir, nothing, and the other proxies that are on the machine.
 */
import { livePeers, liveWeir } from './live/rig.ts';
import { faultOf, type LabPolicy, labPolicies, weirName } from './policies.ts';
import type { Rig, Scenario } from './scenario.ts';
import { simulation } from './sim/simulation.ts';

export interface Contestant {
  readonly policy: LabPolicy;
  readonly rig: Rig;
  /** Why it cannot take part; null when it can. */
  readonly absent: string | null;
}

/** What an experiment on one machine of two cores can show. */
export const liveScenarios: readonly number[] = [1, 3, 4, 6, 7, 10, 17, 19, 20, 21];

const liveWithoutOthers = new Set([weirName, 'nothing']);

export function contestants(live: boolean): readonly Contestant[] {
  if (!live) return labPolicies.map((policy) => ({ policy, rig: simulation, absent: faultOf(policy.parts) }));
  return [
    ...labPolicies
      .filter(({ name }) => liveWithoutOthers.has(name))
      .map((policy) => ({ policy, rig: liveWeir, absent: faultOf(policy.parts) })),
    ...livePeers.map(({ name, summary, absent, rig }) => ({ policy: { name, summary, parts: {} }, rig, absent })),
  ];
}

/** Live, everybody is compared with everybody. */
export function takesPart({ policy, rig }: Contestant, scenario: Scenario, compare: boolean): boolean {
  if (policy.name === weirName) return true;
  return compare && (rig.live || scenario.baselines.includes(policy.name));
}
