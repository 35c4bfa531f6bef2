/** The lab's live rig: real sidecars, real sockets, real time, and the same numbers as in simulated time. */
import { describe, expect, it } from 'vitest';
import { liveWeir } from '../lab/live/rig.ts';
import { success } from '../lab/metrics.ts';
import { sum } from '../lab/recording.ts';
import type { PolicyParts } from '../lab/scenario.ts';
import { callerName, capacityRps, serviceName, standard } from '../lab/scenarios/standard.ts';
import { simulation } from '../lab/sim/simulation.ts';

const durationMs = 2000;
const half = standard([{ fromMs: 0, rps: capacityRps / 2 }], durationMs);
const nothing: PolicyParts = {};

describe('the live rig', () => {
  it('answers at half the load what the simulation answers, through sidecars on both sides', async () => {
    const experiment = { ...half, callers: half.callers.map((caller) => ({ ...caller, sidecars: 1 })) };
    const policies = new Map([[serviceName, nothing]]);
    const live = await liveWeir.run(experiment, policies, 1);
    const simulated = await simulation.run(experiment, policies, 1);
    const asked = sum(live.caller(callerName).offered);
    // The dice are the same, so the same requests come at the same times.
    expect(asked).toBe(sum(simulated.caller(callerName).offered));
    expect(sum(live.service(serviceName).begun)).toBe(asked);
    expect(sum(live.service(serviceName).finished)).toBe(asked);
    expect(success(simulated.caller(callerName), 0, durationMs)).toBeGreaterThan(0.97);
    expect(sum(live.caller(callerName).good) + live.caller(callerName).late).toBe(asked);
    expect(live.caller(callerName).failed).toBe(0);
    expect(live.usage.at(-1)?.rssBytes).toBeGreaterThan(10 * 2 ** 20);
  });

  it('says what is wrong with a policy that a sidecar does not take', async () => {
    const policies = new Map([[serviceName, { inbound: { queue: {} } }]]);
    await expect(liveWeir.run(half, policies, 1)).rejects.toThrow(/a queue needs a concurrency limit/);
  });
});
