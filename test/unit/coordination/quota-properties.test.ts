/**
 * Never above rate·w + Σburst in any window w, whatever befalls the fleet within the model that quota-allocator.ts states:
 * random demand, loss, delay, duplicates and reordering, leaders that stop, restart without memory or are cut off,
 * instances that are killed, restarted, scaled out and cut off.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fnv1a } from '../../../proto/kernel/fnv.ts';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import type { FleetLimit } from '../../../proto/policy/fleet-limits.ts';
import { type Cut, mostBeyond, QuotaFleet } from '../../lab/fleet/quota-fleet.ts';

const instancesMax = 6;
const durationMs = 9000;

/** One of them may always be heard, and runs to the end. */
const anyInstance = fc.integer({ min: 1, max: 2 * instancesMax - 1 });
const anyTime = fc.integer({ min: 0, max: durationMs });
const anyEvent = fc.oneof(
  fc.record({
    kind: fc.constantFrom('start' as const, 'kill' as const, 'end' as const),
    atMs: anyTime,
    instance: anyInstance,
  }),
  fc.record({
    kind: fc.constant('lead' as const),
    atMs: anyTime,
    controlPlane: fc.integer({ min: 0, max: 1 }),
    gapMs: fc.integer({ min: 300, max: 1500 }),
    forgets: fc.boolean(),
  }),
);
const anyCut = fc.record({
  fromMs: anyTime,
  forMs: fc.integer({ min: 100, max: 4000 }),
  instances: fc.uniqueArray(anyInstance, { maxLength: 8 }),
  from: fc.uniqueArray(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 2 }),
});
const anyFate = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  rate: fc.constantFrom(60, 400, 1500),
  lossShare: fc.constantFrom(0, 0.02, 0.2),
  doubledShare: fc.constantFrom(0, 0.2),
  delayMsMax: fc.constantFrom(5, 100, 1500),
  safeForMs: fc.constantFrom(1500, 4000, 60_000),
  events: fc.array(anyEvent, { maxLength: 20 }),
  cuts: fc.array(anyCut, { maxLength: 4 }),
});
type Fate = typeof anyFate extends fc.Arbitrary<infer T> ? T : never;

function limitOf({ rate, safeForMs }: Fate, change: Partial<FleetLimit> = {}): FleetLimit {
  return {
    rate,
    burst: rate / 10,
    costMax: 1,
    instancesMax,
    newcomerRate: (0.1 * rate) / instancesMax,
    safeRateMax: rate / instancesMax,
    safeForMs,
    withoutControlPlane: 'safe',
    chunks: false,
    ...change,
  };
}

const beginMs = 2000;

interface Happening {
  readonly atMs: number;
  readonly happens: () => void;
}

function happenings(fleet: QuotaFleet, event: Fate['events'][number]): Happening[] {
  const atMs = beginMs + event.atMs;
  if (event.kind === 'lead') {
    const { controlPlane, gapMs, forgets } = event;
    const begin = (): void => {
      if (forgets) fleet.startControlPlane(controlPlane);
      fleet.lead(controlPlane);
    };
    return [
      { atMs, happens: () => fleet.lead(-1) },
      { atMs: atMs + gapMs, happens: begin },
    ];
  }
  const { kind, instance } = event;
  if (kind !== 'start') return [{ atMs, happens: () => fleet.stopInstance(instance, kind === 'end') }];
  const start = (): void => {
    if (fleet.runs(instance) || fleet.running < instancesMax) fleet.startInstance(instance);
  };
  return [{ atMs, happens: start }];
}

/** What becomes of the fleet. */
function live(fate: Fate, limit: FleetLimit): QuotaFleet {
  const { seed, lossShare, doubledShare, delayMsMax } = fate;
  const cuts = fate.cuts.map(
    ({ fromMs, forMs, instances, from }): Cut => ({
      fromMs: beginMs + fromMs,
      toMs: beginMs + fromMs + forMs,
      instances: new Set(instances),
      from: new Set(from),
    }),
  );
  const fleet = new QuotaFleet({
    limit,
    random: new XorShift32(seed),
    network: { lossShare, doubledShare, delayMsMin: 1, delayMsMax },
    controlPlanes: 2,
    // Another for each instance and half second: nothing, a little, or more than all may have.
    demand: (instance, atMs) => (fnv1a(`${seed} ${instance} ${Math.floor(atMs / 500)}`) % 4) ** 2 * 0.25 * limit.rate,
    cuts,
  });
  for (let i = 0; i < instancesMax - 1; i++) fleet.startInstance(i);
  fleet.lead(0);
  const events = fate.events.flatMap((event) => happenings(fleet, event));
  events.sort((a, b) => a.atMs - b.atMs);
  for (const { atMs, happens } of events) {
    fleet.runFor(Math.max(0, atMs - fleet.nowMs));
    happens();
  }
  fleet.runFor(Math.max(0, beginMs + durationMs - fleet.nowMs));
  return fleet;
}

const runs = { numRuns: 60 };

describe('a limit that the fleet shares', () => {
  it('is never exceeded by more than the bursts, with leases and safe rates', () => {
    fc.assert(
      fc.property(anyFate, (fate) => {
        const limit = limitOf(fate);
        const { admitted, mostHeld } = live(fate, limit);
        expect(mostHeld).toBeLessThanOrEqual(limit.rate + 1e-6);
        expect(mostBeyond(admitted, limit.rate)).toBeLessThanOrEqual(limit.burst + instancesMax + 1);
      }),
      runs,
    );
  });

  it('is never exceeded by more than the bursts, closed without the control plane', () => {
    fc.assert(
      fc.property(anyFate, (fate) => {
        const limit = limitOf(fate, { withoutControlPlane: 'closed', newcomerRate: 0, safeRateMax: 0 });
        const { admitted, mostHeld } = live(fate, limit);
        expect(mostHeld).toBeLessThanOrEqual(limit.rate + 1e-6);
        expect(mostBeyond(admitted, limit.rate)).toBeLessThanOrEqual(limit.burst + instancesMax + 1);
      }),
      runs,
    );
  });

  it('is never exceeded by more than a second of chunks and the bucket', () => {
    fc.assert(
      fc.property(anyFate, (fate) => {
        const limit = limitOf(fate, { chunks: true, withoutControlPlane: 'closed', newcomerRate: 0, safeRateMax: 0 });
        const { admitted } = live(fate, limit);
        expect(mostBeyond(admitted, limit.rate)).toBeLessThanOrEqual(1.15 * limit.rate + 1);
      }),
      runs,
    );
  });
});
