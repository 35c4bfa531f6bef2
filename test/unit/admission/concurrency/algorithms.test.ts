/** The concurrency algorithms against sequences worked out by hand from their formulas. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AimdLimit } from '../../../../sidecar/admission/concurrency/aimd-limit.ts';
import {
  type AlgorithmSettings,
  algorithmCells,
  createLimit,
} from '../../../../sidecar/admission/concurrency/algorithm.ts';
import { EnvoyGradientLimit } from '../../../../sidecar/admission/concurrency/envoy-gradient-limit.ts';
import { FixedLimit } from '../../../../sidecar/admission/concurrency/fixed-limit.ts';
import { Gradient2Limit } from '../../../../sidecar/admission/concurrency/gradient2-limit.ts';
import { VegasLimit } from '../../../../sidecar/admission/concurrency/vegas-limit.ts';

const range = { min: 1, max: 100, initial: 20 };

describe('FixedLimit', () => {
  it('stays what it is', () => {
    const limit = new FixedLimit(7);
    limit.onSample();
    expect(limit.limit()).toBe(7);
  });
});

describe('AimdLimit', () => {
  const settings = { ...range, backoff: 0.9, timeoutMs: 100 };
  it('rises by one with every answer while half of it is used, and not below that', () => {
    const limit = new AimdLimit(settings);
    limit.onSample(0, 10, 9, false);
    expect(limit.limit()).toBe(20);
    limit.onSample(0, 10, 10, false);
    limit.onSample(0, 10, 11, false);
    expect(limit.limit()).toBe(22);
  });
  it('falls to nine tenths, rounded down, with a drop or an answer past the timeout', () => {
    const limit = new AimdLimit(settings);
    limit.onSample(0, 1, 1, true);
    expect(limit.limit()).toBe(18);
    limit.onSample(0, 100, 1, false);
    expect(limit.limit()).toBe(18);
    limit.onSample(0, 100.1, 1, false);
    expect(limit.limit()).toBe(16);
  });
});

describe('VegasLimit', () => {
  it('takes the fastest answer for the base, and moves by what the others took longer', () => {
    const limit = new VegasLimit({ ...range, smoothing: 1 });
    limit.onSample(0, 10, 20, false);
    expect([limit.limit(), limit.baseRttMs]).toEqual([20, 10]);
    // u = log10(20) = 1.30; queue = ⌈20 · (1 − 10/10)⌉ = 0 ≤ u: + 6u = 7.8
    limit.onSample(0, 10, 20, false);
    expect(limit.limit()).toBe(27);
    // L = 27.806, u = 1.444; queue = ⌈27.806 · (1 − 10/11)⌉ = 3 < 3u: + u = 29.25
    limit.onSample(0, 11, 20, false);
    expect(limit.limit()).toBe(29);
    // u = 1.466; queue = ⌈29.25 · (1 − 10/20)⌉ = 15 > 6u: − u = 27.78
    limit.onSample(0, 20, 20, false);
    expect(limit.limit()).toBe(27);
    // Not busy: nothing. A drop: − log10(27.78) = 26.34
    limit.onSample(0, 10, 13, false);
    expect(limit.limit()).toBe(27);
    limit.onSample(0, 5, 1, true);
    expect([limit.limit(), limit.baseRttMs]).toEqual([26, 10]);
  });
  it('takes the next answer for the base after 22.5 · L samples, so that a service that became slower is believed', () => {
    const limit = new VegasLimit({ min: 1, max: 2, initial: 2, smoothing: 1 });
    limit.onSample(0, 10, 1, false);
    for (let i = 0; i < 43; i++) limit.onSample(0, 30, 1, false);
    expect(limit.baseRttMs).toBe(10);
    for (let i = 0; i < 23; i++) limit.onSample(0, 30, 1, false);
    expect(limit.baseRttMs).toBe(30);
  });
});

describe('Gradient2Limit', () => {
  const settings = { ...range, tolerance: 1.5, smoothing: 0.2, queue: 4 };
  /** A window of 11 answers that took so long. */
  const second = (limit: Gradient2Limit, at: number, rttMs: number, inFlight = 20): void => {
    for (let i = 0; i < 11; i++) limit.onSample(at + i * 100, rttMs, inFlight, false);
  };
  it('grows by a fifth of the queue while answers are as quick as always', () => {
    const limit = new Gradient2Limit(settings);
    // gradient 1: 0.8 · 20 + 0.2 · (20 + 4) = 20.8, then 21.6
    second(limit, 0, 10);
    expect(limit.limit()).toBe(20);
    second(limit, 1100, 10);
    expect(limit.limit()).toBe(21);
  });
  it('falls when answers take much longer than on average, by a tenth at most beside the queue', () => {
    const limit = new Gradient2Limit(settings);
    second(limit, 0, 10);
    // The average of the first windows is plain: 10 → (10 + 90) / 2 = 50; gradient 1.5 · 50/90 = 0.83:
    // 0.8 · 20.8 + 0.2 · (20.8 · 0.8333 + 4) = 20.9
    second(limit, 1100, 90);
    expect(limit.limit()).toBe(20);
    expect(limit.baseRttMs).toBe(50);
    // (10 + 90 + 5000) / 3 = 1700; gradient 1.5 · 1700/5000 = 0.51: 0.8 · 20.907 + 0.2 · (10.66 + 4) = 19.66
    second(limit, 2200, 5000);
    expect(limit.limit()).toBe(19);
  });
  it('does nothing while the app is not busy, nor with ten answers or less', () => {
    const limit = new Gradient2Limit(settings);
    second(limit, 0, 10, 9);
    expect(limit.limit()).toBe(20);
    for (let i = 0; i < 10; i++) limit.onSample(1100 + i * 500, 10, 20, false);
    expect(limit.limit()).toBe(20);
  });
});

describe('EnvoyGradientLimit', () => {
  const settings = { min: 3, max: 100, initial: 3, buffer: 0.25, minRttIntervalMs: 60_000, minRttRequests: 4 };
  const measured = (): EnvoyGradientLimit => {
    const limit = new EnvoyGradientLimit(settings);
    for (let i = 0; i < 4; i++) limit.onSample(i, 10, 3, false);
    return limit;
  };
  it('begins by measuring at its minimum, and takes the median of the requests asked for', () => {
    const limit = new EnvoyGradientLimit({ ...settings, initial: 50 });
    for (const rttMs of [10, 10, 500]) limit.onSample(0, rttMs, 3, false);
    expect([limit.limit(), limit.baseRttMs]).toEqual([3, 0]);
    limit.onSample(0, 10, 3, false);
    expect(limit.limit()).toBe(50);
    expect(limit.baseRttMs).toBeGreaterThan(9.8);
    expect(limit.baseRttMs).toBeLessThan(10.2);
  });
  it('multiplies by (minRtt + a quarter) / median every 100 ms, between a half and twice, and adds the root', () => {
    const limit = measured();
    // As quick as ever: 3 · 1.25 = 3.75, + √3.75 = 5.69
    limit.onSample(103, 10, 3, false);
    expect(limit.limit()).toBe(5);
    limit.onSample(150, 10, 3, false);
    expect(limit.limit()).toBe(5);
    // 5.69 · 1.25 = 7.11, + 2.67 = 9.77
    limit.onSample(203, 10, 3, false);
    expect(limit.limit()).toBe(9);
    // Ten times slower, clamped to a half: 4.89 + 2.21 = 7.1
    limit.onSample(303, 100, 3, false);
    expect(limit.limit()).toBe(7);
  });
  it('measures again after a minute, by requests sent since, and goes on from where it was', () => {
    const limit = measured();
    limit.onSample(103, 10, 3, false);
    limit.onSample(70_000, 10, 3, false);
    expect(limit.limit()).toBe(3);
    for (let i = 0; i < 9; i++) limit.onSample(70_001, 20, 3, false);
    expect(limit.limit()).toBe(3);
    for (let i = 0; i < 4; i++) limit.onSample(70_100, 20, 3, false);
    expect(limit.limit()).toBe(5);
    expect(limit.baseRttMs).toBeGreaterThan(19.5);
  });
  it('measures again after five updates in a row at its minimum', () => {
    const limit = measured();
    for (let i = 1; i <= 4; i++) limit.onSample(3 + i * 100, 1000, 3, false);
    expect(limit.baseRttMs).toBeLessThan(11);
    limit.onSample(503, 1000, 3, false);
    for (let i = 0; i < 4; i++) limit.onSample(1600, 1000, 3, false);
    expect(limit.baseRttMs).toBeGreaterThan(900);
  });
});

const anyAlgorithm = (min: number, initial: number, max: number): AlgorithmSettings[] => [
  { kind: 'vegasBdp', min, initial, max },
  { kind: 'aimd', min, initial, max, backoff: 0.5, timeoutMs: 50 },
  { kind: 'vegas', min, initial, max, smoothing: 1 },
  { kind: 'gradient2', min, initial, max, tolerance: 1.5, smoothing: 0.2, queue: 4 },
  { kind: 'envoyGradient', min, initial, max, buffer: 0.25, minRttIntervalMs: 1000, minRttRequests: 10 },
];

describe.each(['vegasBdp', 'aimd', 'vegas', 'gradient2', 'envoyGradient'])('%s, whatever it hears', (kind) => {
  it('stays a whole number within its bounds, and needs no more cells than there are', () => {
    const samples = fc.array(
      fc.record({
        afterMs: fc.integer({ min: 0, max: 300 }),
        rttMs: fc.oneof(fc.constant(0), fc.double({ min: 0.001, max: 5000, noNaN: true })),
        inFlight: fc.integer({ min: 1, max: 40 }),
        isDrop: fc.boolean(),
      }),
      { maxLength: 400 },
    );
    const bounds = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat(20), fc.nat(20));
    fc.assert(
      fc.property(bounds, samples, ([min, a, b], all) => {
        const settings = anyAlgorithm(min, min + a, min + a + b).find((one) => one.kind === kind)!;
        const limit = createLimit(settings, new Float64Array(algorithmCells));
        let nowMs = 0;
        for (const { afterMs, rttMs, inFlight, isDrop } of all) {
          nowMs += afterMs;
          limit.onSample(nowMs, rttMs, inFlight, isDrop);
          const now = limit.limit();
          if (!Number.isInteger(now) || now < min || now > min + a + b) throw new Error(`${now}`);
        }
      }),
      { numRuns: 60 },
    );
  });
  it('is one limit for all who share its cells', () => {
    const settings = anyAlgorithm(1, 20, 100).find((one) => one.kind === kind)!;
    const cells = new Float64Array(algorithmCells);
    const both = [createLimit(settings, cells), createLimit(settings, cells)];
    const alone = createLimit(settings);
    for (let i = 0; i < 3000; i++) {
      const rttMs = 10 + (i % 7) * (1 + i / 500);
      both[i % 2]!.onSample(i * 2, rttMs, 20, i % 97 === 0);
      alone.onSample(i * 2, rttMs, 20, i % 97 === 0);
    }
    expect([both[0]!.limit(), both[1]!.limit()]).toEqual([alone.limit(), alone.limit()]);
  });
});
