/** Who gets how much of a fleet limit, and which reports are answered how. */
import { describe, expect, it } from 'vitest';
import { type GrantTo, QuotaCoordinator } from '../../../control-plane/coordination/quota-coordinator.ts';
import { waterFilling } from '../../../control-plane/coordination/water-filling.ts';
import { decodeReport, encodeReport, type Report } from '../../../proto/fleet.ts';
import type { FleetLimit } from '../../../proto/policy/fleet-limits.ts';

const target = 'shop/payments';
const limit: FleetLimit = {
  rate: 1000,
  burst: 100,
  costMax: 1,
  instancesMax: 2,
  newcomerRate: 25,
  safeRateMax: 500,
  safeForMs: 60_000,
  withoutControlPlane: 'safe',
  chunks: false,
};

/** What instances hold, by what they were granted; they report every 100 ms. */
class Fleet {
  readonly coordinator = new QuotaCoordinator();
  nowMs = 1000;
  private seq = 0;
  private readonly held = new Map<string, { heldEpoch: string; heldSeq: number; rate: number; members: number }>();

  constructor(limits: Readonly<Record<string, FleetLimit>>, isNews: boolean) {
    this.coordinator.setLimits(target, { version: 7, limits: new Map(Object.entries(limits)) }, isNews);
  }

  report(instance: string, demand: number, keys = ['total'], overshoot = 0): void {
    const quotas = keys.map((key) => {
      const { heldEpoch = '', heldSeq = 0, rate = 25, members = 0 } = this.held.get(`${instance} ${key}`) ?? {};
      return { key, demand: demand / 10, overshoot, heldEpoch, heldSeq, ratePerSecond: rate, members };
    });
    const identity = { namespace: 'shop', service: 'payments', instance, incarnation: 'a', zone: '', version: '' };
    const report: Report | undefined = decodeReport(
      encodeReport({ identity, seq: ++this.seq, intervalMs: 100, quotas }),
    );
    if (report) this.coordinator.onReport(report, this.nowMs);
  }

  tick(epoch = '1'): GrantTo[] {
    this.nowMs += 50;
    const grants = this.coordinator.tick(() => epoch, this.nowMs);
    for (const { to, grant } of grants) {
      for (const { key = '', ttlMs, ratePerSecond = 0, members = 0 } of grant.leases ?? []) {
        const name = `${to.instance} ${key}`;
        const rate = ttlMs === 0 ? (this.held.get(name)?.rate ?? 25) : ratePerSecond;
        this.held.set(name, { heldEpoch: epoch, heldSeq: ttlMs === 0 ? 0 : (grant.answersSeq ?? 0), rate, members });
      }
    }
    return grants;
  }

  /** Rates after a second in which these were asked for. */
  after(demands: Readonly<Record<string, number>>, epoch = '1', forMs = 1000): Record<string, number> {
    for (const untilMs = this.nowMs + forMs; this.nowMs < untilMs; ) {
      for (const [instance, demand] of Object.entries(demands)) this.report(instance, demand);
      this.tick(epoch);
      this.tick(epoch);
    }
    return Object.fromEntries(
      Object.keys(demands).map((instance) => [instance, Math.round(this.held.get(`${instance} total`)?.rate ?? 0)]),
    );
  }
}

describe('QuotaCoordinator', () => {
  it('gives by demand when all want more than there is, and holds a tenth back when they do not', () => {
    const fleet = new Fleet({ total: limit }, true);
    const scarce = fleet.after({ a: 1500, b: 500 });
    expect(scarce.a! + scarce.b!).toBeLessThanOrEqual(1000);
    expect(scarce.a! / scarce.b!).toBeCloseTo(3, 0);
    const plenty = fleet.after({ a: 300, b: 100 }, '1', 3000);
    // Nobody is asked to give back the last 5 % of what it has.
    expect(plenty.a! + plenty.b!).toBeGreaterThanOrEqual(900);
    expect(plenty.a! + plenty.b!).toBeLessThanOrEqual(945);
    expect(plenty.a!).toBeGreaterThan(315);
  });

  it('makes itself known first, and then answers', () => {
    const fleet = new Fleet({ total: limit }, true);
    fleet.report('a', 100);
    expect(fleet.tick()[0]!.grant.leases![0]).toMatchObject({ ttlMs: 0, members: 1 });
    expect(fleet.tick()).toEqual([]);
    fleet.report('a', 100);
    const { to, grant } = fleet.tick()[0]!;
    expect(to.instance).toBe('a');
    expect(grant).toMatchObject({ incarnation: 'a', answersSeq: 2, epoch: '1' });
    expect(grant.leases![0]).toMatchObject({ key: 'total', policyVersion: 7, ttlMs: 1000, safeForMs: 60_000 });
  });

  it('answers nobody while another one leads, and gives back what is held for a second once it leads', () => {
    const fleet = new Fleet({ total: limit }, true);
    const before = fleet.after({ a: 1500, b: 500 });
    expect(fleet.coordinator.tick(() => '', fleet.nowMs)).toEqual([]);
    const settling = fleet.after({ a: 500, b: 1500 }, '2', 900);
    expect(settling).toEqual(before);
    const after = fleet.after({ a: 500, b: 1500 }, '2', 1500);
    expect(after.b! / after.a!).toBeCloseTo(3, 0);
  });

  it('answers one report about several limits with one grant', () => {
    const fleet = new Fleet({ total: limit, 'search/total': limit, strict: { ...limit, chunks: true } }, true);
    fleet.report('a', 100, ['total', 'search/total', 'strict']);
    const grants = fleet.tick();
    expect(grants).toHaveLength(1);
    expect(grants[0]!.grant.leases!.map(({ key }) => key)).toEqual(['total', 'search/total', 'strict']);
  });

  it('counts reports about limits that no policy has, and sums what was admitted without a lease', () => {
    const fleet = new Fleet({ total: limit }, true);
    fleet.report('a', 100, ['unheard-of']);
    expect(fleet.coordinator.unheard).toBe(1);
    fleet.report('a', 100, ['total'], 12);
    fleet.report('b', 100, ['total'], 30);
    expect(fleet.coordinator.readings(target, fleet.nowMs).get('total')?.overshoot).toBe(42);
  });

  it('remembers no more than four processes for each instance that there may be', () => {
    const fleet = new Fleet({ total: limit }, true);
    for (let i = 0; i < 100; i++) fleet.report(`made-up-${i}`, 1);
    expect(fleet.coordinator.readings(target, fleet.nowMs).get('total')?.members).toBe(8);
  });
});

describe('waterFilling', () => {
  it.each([
    [[100, 200], 10, 1000, [100, 200]],
    [[900, 300], 10, 600, [450, 150]],
    [[0, 1200], 10, 600, [10, 590]],
    [[5, 5, 990], 10, 100, [10, 10, 80]],
    [[0, 0], 10, 100, [10, 10]],
    [[500, 500], 10, 15, [10, 10]],
    [[], 10, 100, []],
  ])('shares %j with the floor %d of %d as %j', (wants, floor, capacity, shares) => {
    expect(waterFilling(wants, floor, capacity)).toEqual(shares);
  });
});
