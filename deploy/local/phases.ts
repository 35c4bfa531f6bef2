/**
 * The story that the live demo tells, over and over: calm, more load than `payments` can do, calm again, a broken
 * `payments`, and its recovery. Each phase says what to look at before it happens.
 */
import type { Load } from './load.ts';
import type { DemoMesh } from './mesh.ts';
import { calmPaymentsPerSecond, overloadFactor, overloadSlowFactor } from './topology.ts';

export interface Stage {
  readonly load: Load;
  readonly mesh: DemoMesh;
}

export interface Phase {
  readonly name: string;
  readonly announcement: string;
  readonly forSeconds: number;
  begin(stage: Stage): Promise<void>;
  /** What payments can do meanwhile, requests per second. */
  capacity(mesh: DemoMesh): number;
}

/** payments gets slower, and is asked for three times what it still can do. */
export async function beginOverload({ load, mesh }: Stage): Promise<void> {
  await mesh.fault('payments', { failPercent: 0, slowFactor: overloadSlowFactor });
  load.setPaymentsPerSecond(overloadFactor * mesh.capacity.overloaded);
}

export async function beginCalm({ load, mesh }: Stage): Promise<void> {
  load.setPaymentsPerSecond(calmPaymentsPerSecond);
  await mesh.heal('payments');
}

const calmCapacity = (mesh: DemoMesh): number => mesh.capacity.calm;

export const phases: readonly Phase[] = [
  {
    name: 'calm',
    announcement: 'Calm: both sides are asked for less than payments can do, and answer alike.',
    forSeconds: 12,
    begin: beginCalm,
    capacity: calmCapacity,
  },
  {
    name: `${overloadFactor}× overload`,
    announcement: `${overloadFactor}× overload (payments is slow, the demand is up): without Weir every answer comes too late; with Weir two thirds are refused at once, the rest served.`,
    forSeconds: 12,
    begin: beginOverload,
    capacity: (mesh) => mesh.capacity.overloaded,
  },
  {
    name: 'overload gone',
    announcement:
      'The overload is gone: with Weir all is well at once; without, the backlog goes on making everything late.',
    forSeconds: 20,
    begin: beginCalm,
    capacity: calmCapacity,
  },
  {
    name: 'payments fails',
    announcement:
      'payments fails, on both sides: with Weir its breaker opens in every caller, and only probes get through.',
    forSeconds: 10,
    async begin({ mesh }) {
      await mesh.fault('payments', { failPercent: 100, slowFactor: 1 });
    },
    capacity: () => 0,
  },
  {
    name: 'healed',
    announcement: 'payments is healed: probes succeed and the breaker closes.',
    forSeconds: 12,
    begin: beginCalm,
    capacity: calmCapacity,
  },
];
