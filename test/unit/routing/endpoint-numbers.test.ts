/** What is kept of an endpoint: how fast it answers, the weight of its load, and its way back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EndpointLoad } from '../../../sidecar/routing/endpoint-load.ts';
import { emptyReport } from '../../../sidecar/routing/orca.ts';
import { decayMs, defaultRttMs, PeakEwma } from '../../../sidecar/routing/peak-ewma.ts';
import { SlowStart } from '../../../sidecar/routing/slow-start.ts';

describe('PeakEwma', () => {
  it('rises with one slow answer, and falls over the decay time', () => {
    const latency = new PeakEwma();
    expect(latency.read(0)).toBe(defaultRttMs);
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 10) latency.recordSuccess(5, nowMs);
    expect(latency.read(60_000)).toBeCloseTo(5, 0);
    latency.recordSuccess(200, 60_000);
    expect(latency.read(60_000)).toBe(200);
    for (let i = 1; i <= 1000; i++) latency.recordSuccess(5, 60_000 + i * (decayMs / 1000));
    expect(latency.read(70_000)).toBeCloseTo(5 + 195 / Math.E, 0);
  });

  it('fades while nobody asks', () => {
    const latency = new PeakEwma();
    latency.recordSuccess(1000, 0);
    expect(latency.read(decayMs)).toBeCloseTo(1000 / Math.E, 6);
  });

  it('is never lowered by a failure: who fails at once is not fast', () => {
    const latency = new PeakEwma();
    latency.recordSuccess(50, 0);
    for (let nowMs = 0; nowMs < 30_000; nowMs += 10) latency.recordFailure(0.1, nowMs);
    expect(latency.read(29_990)).toBe(50);
    latency.recordFailure(80, 30_000);
    expect(latency.read(30_000)).toBe(80);
  });
});

describe('SlowStart', () => {
  it('gives exactly its growing share of the turns, from a tenth on', () => {
    const start = new SlowStart();
    expect(start.standsBack(0)).toBe(false);
    start.begin({ windowMs: 1000, aggression: 1 }, 0);
    const taken = (fromMs: number): number =>
      Array.from({ length: 1000 }, () => start.standsBack(fromMs)).filter((isBack) => !isBack).length;
    expect(taken(0)).toBeGreaterThanOrEqual(99);
    expect(taken(0)).toBeLessThanOrEqual(101);
    expect(Math.abs(taken(500) - 500)).toBeLessThanOrEqual(1);
    expect(taken(1000)).toBe(1000);
  });

  it('grows sooner with more aggression, and is never less than a tenth nor more than all', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 10, noNaN: true }), fc.nat(2000), (aggression, nowMs) => {
        const [one, other] = [new SlowStart(), new SlowStart()];
        one.begin({ windowMs: 1000, aggression }, 0);
        other.begin({ windowMs: 1000, aggression: aggression * 2 }, 0);
        expect(one.share(nowMs)).toBeGreaterThanOrEqual(0.1);
        expect(one.share(nowMs)).toBeLessThanOrEqual(other.share(nowMs));
        expect(other.share(nowMs)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('EndpointLoad', () => {
  const settings = { blackoutMs: 10_000, expiryMs: 180_000, errorPenalty: 1 };
  const report = { ...emptyReport(), cpuUtilization: 0.5, qps: 100, eps: 10 };

  it('weighs qps / (utilization + eps / qps · penalty), after the blackout and until the report expires', () => {
    const load = new EndpointLoad();
    for (let nowMs = 0; nowMs < 10_000; nowMs += 1000) {
      load.record(report, nowMs);
      expect(load.weight(settings, nowMs)).toBe(0);
    }
    load.record(report, 10_000);
    expect(load.weight(settings, 10_000)).toBeCloseTo(100 / 0.6);
    expect(load.weight(settings, 189_999)).toBeCloseTo(100 / 0.6);
    expect(load.weight(settings, 190_000)).toBe(0);
    // After a gap the blackout begins anew.
    load.record(report, 200_000);
    expect(load.weight(settings, 205_000)).toBe(0);
    expect(load.weight(settings, 210_000)).toBeCloseTo(100 / 0.6);
  });

  it('prefers the utilization that the application states, and has no weight from a report without', () => {
    const load = new EndpointLoad();
    load.record({ ...report, eps: 0, applicationUtilization: 0.8 }, 0);
    expect(load.weight({ ...settings, blackoutMs: 0 }, 0)).toBeCloseTo(125);
    const silent = new EndpointLoad();
    silent.record({ ...emptyReport(), inFlight: 7 }, 0);
    expect([silent.weight({ ...settings, blackoutMs: 0 }, 0), silent.inFlight]).toEqual([0, 7]);
  });
});
