/** The five ways to choose an endpoint: what all of them keep to, and what each is for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { type BalancerSettings, makeBalancer } from '../../../sidecar/routing/balancer.ts';
import { Endpoint } from '../../../sidecar/routing/endpoint.ts';
import { emptyReport } from '../../../sidecar/routing/orca.ts';
import { defaultPrequal } from '../../../sidecar/routing/prequal.ts';
import { simulate } from './replicas.ts';

const kinds: readonly BalancerSettings[] = [
  { kind: 'roundRobin' },
  { kind: 'leastRequest' },
  { kind: 'p2cPeakEwma' },
  { kind: 'orcaWeighted', blackoutMs: 0, expiryMs: 180_000, errorPenalty: 1 },
  { kind: 'prequal', ...defaultPrequal },
];

function endpoints(count: number): Endpoint[] {
  return Array.from({ length: count }, (_, i) => {
    const at = { host: '10.0.0.1', port: i + 1, path: '' };
    const random = new XorShift32(i + 1);
    return new Endpoint({ address: `10.0.0.1:${i + 1}`, at, instance: `i-${i}`, zone: '', draining: false, random });
  });
}

function counts(settings: BalancerSettings, all: readonly Endpoint[], picks: number, nowMs = 0): number[] {
  const balancer = makeBalancer(settings, new XorShift32(7));
  balancer.setEndpoints(all);
  for (let i = 0; i < picks; i++) balancer.pick(nowMs)!.requests++;
  return all.map((endpoint) => endpoint.requests);
}

describe.each(kinds)('$kind', (settings) => {
  it('picks nobody of none, the one of one, and spreads over equals', () => {
    const balancer = makeBalancer(settings, new XorShift32(1));
    expect(balancer.pick(0)).toBeUndefined();
    const [one] = endpoints(1);
    balancer.setEndpoints([one!]);
    expect(balancer.pick(0)).toBe(one);
    for (const count of counts(settings, endpoints(5), 5000)) expect(Math.abs(count - 1000)).toBeLessThan(200);
  });

  it('avoids who is out while there are others, and uses them when there are none, after answers of any kind', () => {
    const answer = fc.record({ endpoint: fc.nat(7), latencyMs: fc.nat(500), good: fc.boolean(), gapMs: fc.nat(300) });
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
        fc.array(answer, { maxLength: 60 }),
        fc.integer(),
        (out, answers, seed) => {
          const all = endpoints(out.length);
          const balancer = makeBalancer(settings, new XorShift32(seed));
          balancer.setEndpoints(all);
          let nowMs = 0;
          for (const { endpoint, latencyMs, good, gapMs } of answers) {
            nowMs += gapMs;
            const answered = all[endpoint % all.length]!;
            if (good) answered.latency.recordSuccess(latencyMs, nowMs);
            answered.load.record({ ...emptyReport(), cpuUtilization: 0.5, qps: latencyMs, inFlight: 3 }, nowMs);
            balancer.onAnswer(answered, latencyMs, good, nowMs);
            expect(all).toContain(balancer.pick(nowMs));
          }
          for (const [i, endpoint] of all.entries()) if (out[i]) endpoint.recordUnreachable(nowMs);
          for (let i = 0; i < 10; i++) expect(balancer.pick(nowMs + 10)!.isOut(nowMs + 10)).toBe(out.every(Boolean));
        },
      ),
    );
  });

  it('gives a warming endpoint no more than its share, and all of them theirs when everybody is warming', () => {
    const all = endpoints(5);
    all[0]!.slowStart.begin({ windowMs: 10_000, aggression: 1 }, 0);
    const [first, ...others] = counts(settings, all, 5000, 2000);
    expect(first).toBeLessThan(260);
    for (const count of others) expect(count).toBeGreaterThan(900);
    const warming = endpoints(5);
    for (const endpoint of warming) endpoint.slowStart.begin({ windowMs: 10_000, aggression: 1 }, 0);
    for (const count of counts(settings, warming, 5000, 2000)) expect(count).toBeGreaterThan(500);
  });

  it('never picks somebody who has left the list', () => {
    const all = endpoints(6);
    const balancer = makeBalancer(settings, new XorShift32(3));
    balancer.setEndpoints(all);
    for (const endpoint of all) balancer.onAnswer(endpoint, 5, true, 0);
    balancer.setEndpoints(all.slice(0, 3));
    for (let i = 0; i < 200; i++) expect(all.slice(0, 3)).toContain(balancer.pick(1));
  });
});

describe('p2cPeakEwma', () => {
  it('keeps away from the slow one', () => {
    const all = endpoints(4);
    for (const [i, endpoint] of all.entries()) endpoint.latency.recordSuccess(i === 0 ? 200 : 10, 0);
    expect(counts({ kind: 'p2cPeakEwma' }, all, 1000)[0]).toBe(0);
  });
});

describe('orcaWeighted', () => {
  it('spreads by the weights, evenly in time, and treats all alike until two have one', () => {
    const settings = { kind: 'orcaWeighted', blackoutMs: 0, expiryMs: 180_000, errorPenalty: 1 } as const;
    const all = endpoints(3);
    all[0]!.load.record({ ...emptyReport(), cpuUtilization: 0.5, qps: 100 }, 0);
    for (const count of counts(settings, all, 3000)) expect(count).toBe(1000);
    const weighted = endpoints(3);
    for (const [i, qps] of [100, 200, 300].entries()) {
      weighted[i]!.load.record({ ...emptyReport(), cpuUtilization: 0.5, qps }, 0);
    }
    const [one, two, three] = counts(settings, weighted, 6000);
    expect([Math.round(one! / 100), Math.round(two! / 100), Math.round(three! / 100)]).toEqual([10, 20, 30]);
  });
});

describe('prequal', () => {
  const settings: BalancerSettings = { kind: 'prequal', ...defaultPrequal };

  it('takes the fastest of the cold, and leaves the busy alone', () => {
    const all = endpoints(8);
    const balancer = makeBalancer(settings, new XorShift32(1));
    balancer.setEndpoints(all);
    for (let i = 0; i < 64; i++) {
      const one = i % 8;
      all[one]!.load.record({ ...emptyReport(), inFlight: one === 0 ? 30 : 2 }, 0);
      balancer.onAnswer(all[one]!, 2 + one, true, 0);
    }
    expect(balancer.pick(1)).toBe(all[1]);
    // What the second said is used up, and the first is hot.
    expect(balancer.pick(1)).toBe(all[2]);
    all[3]!.inFlight += 20;
    expect(balancer.pick(1)).toBe(all[4]);
  });

  it('takes who fails at once for slower than everybody', () => {
    const all = endpoints(3);
    const balancer = makeBalancer(settings, new XorShift32(1));
    balancer.setEndpoints(all);
    balancer.onAnswer(all[0]!, 20, true, 0);
    balancer.onAnswer(all[1]!, 30, true, 0);
    balancer.onAnswer(all[2]!, 1, false, 0);
    expect([balancer.pick(1), balancer.pick(1)]).toEqual([all[0], all[1]]);
  });
});

describe('uneven replicas', () => {
  it('are no trouble to prequal where round robin fails: half of them at a third of the speed, 95 % of all they can do', () => {
    const run = (settings: BalancerSettings) => simulate({ settings, load: 0.95 });
    const [robin, prequal] = [run({ kind: 'roundRobin' }), run({ kind: 'prequal', ...defaultPrequal })];
    expect(robin).toBeGreaterThan(0.2);
    expect(prequal).toBeLessThan(0.001);
  });
});
