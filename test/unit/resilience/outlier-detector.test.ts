/** Who is ejected, for how long, and that the cap holds whatever happens. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ejection, EjectionCause } from '../../../sidecar/resilience/ejection.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { OutlierDetector } from '../../../sidecar/resilience/outlier-detector.ts';
import type { OutlierSettings } from '../../../sidecar/resilience/outlier-settings.ts';

const settings: OutlierSettings = {
  consecutiveFailures: 5,
  successRate: null,
  latency: null,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 100_000,
  maxEjectedPercent: 50,
  shadow: false,
};

function detector(count: number, overrides: Partial<OutlierSettings> = {}) {
  const hosts = Array.from({ length: count }, () => new Ejection());
  const outliers = new OutlierDetector({ ...settings, ...overrides });
  outliers.setHosts(hosts);
  outliers.tick(0);
  return { hosts, outliers };
}

function answer(outliers: OutlierDetector, host: Ejection, outcome: number, count: number, latencyMs = 10): boolean {
  let ejected = false;
  for (let i = 0; i < count; i++) ejected = outliers.record(host, outcome, latencyMs, 100) || ejected;
  return ejected;
}

describe('OutlierDetector', () => {
  it('ejects after failures in a row; what says nothing is neither a failure nor a success', () => {
    const { hosts, outliers } = detector(4);
    const [host] = hosts;
    answer(outliers, host!, Outcome.failure, 4);
    answer(outliers, host!, Outcome.success, 1);
    answer(outliers, host!, Outcome.failure, 4);
    expect(answer(outliers, host!, Outcome.ignored, 50)).toBe(false);
    expect(answer(outliers, host!, Outcome.failure, 1)).toBe(true);
    expect([host!.isEjected, host!.untilMs, outliers.ejections[EjectionCause.consecutiveFailures]]).toEqual([
      true,
      30_100,
      1,
    ]);
  });

  it('brings it back when its time is up, and keeps it out longer each time, up to the longest', () => {
    const { hosts, outliers } = detector(2, { intervalMs: 1e9 });
    const [host] = hosts;
    let nowMs = 100;
    const times = Array.from({ length: 5 }, () => {
      for (let i = 0; i < 5; i++) outliers.record(host!, Outcome.failure, 1, nowMs);
      const forMs = host!.untilMs - nowMs;
      expect(outliers.tick(host!.untilMs - 1)).toBe(false);
      nowMs = host!.untilMs;
      expect([outliers.tick(nowMs), host!.isEjected, outliers.ejected]).toEqual([true, false, 0]);
      return forMs;
    });
    expect(times).toEqual([30_000, 60_000, 90_000, 100_000, 100_000]);
  });

  it('forgets an ejection with every interval without one', () => {
    const { hosts, outliers } = detector(2);
    answer(outliers, hosts[0]!, Outcome.failure, 5);
    outliers.tick(30_100);
    expect(hosts[0]!.times).toBe(1);
    outliers.tick(50_000);
    expect(hosts[0]!.times).toBe(0);
  });

  it('checks the cap for the state after the ejection: 30 % of three is none, 34 % is one', () => {
    for (const [percent, ejected] of [
      [30, 0],
      [33, 0],
      [34, 1],
      [67, 2],
      [99, 2],
    ] as const) {
      const { hosts, outliers } = detector(3, { maxEjectedPercent: percent });
      for (const host of hosts) answer(outliers, host, Outcome.failure, 20);
      expect([percent, outliers.ejected]).toEqual([percent, ejected]);
      expect(outliers.capped).toBeGreaterThan(0);
    }
  });

  it('ejects whose share of successes is below mean - 1.9 deviations, and compares only who was asked enough', () => {
    const successRate = { stdevFactor: 1.9, minHosts: 5, minRequests: 100 };
    const { hosts, outliers } = detector(6, { consecutiveFailures: 0, successRate });
    for (const host of hosts.slice(0, 4)) answer(outliers, host, Outcome.success, 100);
    answer(outliers, hosts[4]!, Outcome.failure, 10);
    answer(outliers, hosts[4]!, Outcome.success, 90);
    // All of its requests failed, but they were too few to say so.
    answer(outliers, hosts[5]!, Outcome.failure, 99);
    expect(outliers.tick(10_000)).toBe(true);
    expect(hosts.map((host) => host.isEjected)).toEqual([false, false, false, false, true, false]);
    expect(hosts[4]!.cause).toBe(EjectionCause.successRate);
  });

  it('ejects who takes three times the median', () => {
    const latency = { factor: 3, minHosts: 3, minRequests: 20 };
    const { hosts, outliers } = detector(4, { latency });
    for (const [i, latencyMs] of [10, 12, 29, 40].entries())
      answer(outliers, hosts[i]!, Outcome.success, 20, latencyMs);
    outliers.tick(10_000);
    expect(hosts.map((host) => host.isEjected)).toEqual([false, false, false, true]);
    const [even] = [detector(2, { latency: { ...latency, minHosts: 2 } })];
    answer(even.outliers, even.hosts[0]!, Outcome.success, 20, 10);
    answer(even.outliers, even.hosts[1]!, Outcome.success, 20, 31);
    even.outliers.tick(10_000);
    expect(even.hosts.map((host) => host.isEjected)).toEqual([false, true]);
  });

  it('lets those come back that were to come back first, when others are gone and the cap no longer holds', () => {
    const { hosts, outliers } = detector(6);
    for (const [i, host] of hosts.slice(0, 3).entries()) {
      for (let n = 0; n < 5; n++) outliers.record(host, Outcome.failure, 1, i);
    }
    outliers.setHosts(hosts.slice(0, 4));
    expect(hosts.map((host) => host.isEjected)).toEqual([false, true, true, false, false, false]);
  });

  it('never has more than the cap ejected, nor everybody, under any order of failures, time and lists', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ kind: fc.constant('fail' as const), host: fc.nat(11), count: fc.nat(8) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(60_000) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('hosts' as const), mask: fc.nat(4095) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('percent' as const), percent: fc.integer({ min: 1, max: 99 }) }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const all = Array.from({ length: 12 }, () => new Ejection());
        let percent = 50;
        let present = all;
        let nowMs = 1;
        const successRate = { stdevFactor: 0.5, minHosts: 3, minRequests: 1 };
        const build = (): OutlierSettings => ({ ...settings, successRate, maxEjectedPercent: percent });
        const outliers = new OutlierDetector(build());
        outliers.setHosts(present);
        for (const action of steps) {
          if (action.kind === 'fail') {
            const host = all[action.host]!;
            for (let i = 0; i < action.count; i++) outliers.record(host, Outcome.failure, 1, nowMs);
            outliers.record(all[(action.host + 1) % 12]!, Outcome.success, 1, nowMs);
          } else if (action.kind === 'wait') {
            nowMs += action.ms;
            outliers.tick(nowMs);
          } else if (action.kind === 'hosts') {
            present = all.filter((_, i) => (action.mask & (1 << i)) !== 0);
            outliers.setHosts(present);
          } else {
            percent = action.percent;
            outliers.reconfigure(build());
          }
          const ejected = present.filter((host) => host.isEjected).length;
          expect(outliers.ejected).toBe(ejected);
          expect(ejected * 100).toBeLessThanOrEqual(present.length * percent);
          if (present.length > 0) expect(ejected).toBeLessThan(present.length);
        }
      }),
      { numRuns: 500 },
    );
  });
});
