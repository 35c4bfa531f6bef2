/** The budget of retries: what it allows in any window, whatever the order of requests and retries. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RetryBudget, retryWindowMs } from '../../../sidecar/resilience/retry-budget.ts';

describe('RetryBudget', () => {
  test('gives a tenth of the requests of the last ten seconds', () => {
    const budget = new RetryBudget({ percent: 10, minConcurrent: 0 });
    for (let i = 0; i < 1000; i++) budget.recordRequest(i * 10);
    let given = 0;
    while (budget.tryWithdraw(9990)) given++;
    expect(given).toBe(100);
    expect(budget.left(9990)).toBe(0);
  });

  test('gives quiet callers so many at once, and no more than ten times that in ten seconds', () => {
    const budget = new RetryBudget({ percent: 10, minConcurrent: 3 });
    budget.recordRequest(0);
    expect([1, 2, 3, 4].map(() => budget.tryWithdraw(0))).toEqual([true, true, true, false]);
    budget.release();
    expect(budget.tryWithdraw(1)).toBe(true);
    for (let i = 0; i < 3; i++) budget.release();
    let given = 4;
    for (let nowMs = 2; nowMs < 9000; nowMs += 100) {
      if (!budget.tryWithdraw(nowMs)) continue;
      given++;
      budget.release();
    }
    expect(given).toBe(30);
  });

  test('adds no floor to a share that is more', () => {
    const budget = new RetryBudget({ percent: 10, minConcurrent: 3 });
    let given = 0;
    for (let i = 0; i < 6200; i++) {
      budget.recordRequest(i * 1.6);
      if (!budget.tryWithdraw(i * 1.6)) continue;
      given++;
      budget.release();
    }
    expect(given).toBeLessThanOrEqual(620);
    expect(given).toBeGreaterThan(600);
  });

  test('forgets requests and retries after ten seconds', () => {
    const budget = new RetryBudget({ percent: 10, minConcurrent: 0 });
    for (let i = 0; i < 100; i++) budget.recordRequest(0);
    expect(budget.tryWithdraw(100)).toBe(true);
    expect(budget.left(100)).toBe(9);
    expect(budget.left(retryWindowMs + 500)).toBe(0);
    budget.recordRequest(50_000);
    expect(budget.left(50_000)).toBe(0);
  });

  test('never gives more than the share or the floor in any window, whatever comes when', () => {
    const step = fc.record({ afterMs: fc.integer({ min: 0, max: 1500 }), requests: fc.nat(40), tries: fc.nat(12) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.nat(5),
        fc.array(step, { maxLength: 60 }),
        fc.infiniteStream(fc.boolean()),
        (percent, minConcurrent, steps, ends) => {
          const budget = new RetryBudget({ percent, minConcurrent });
          const requests: number[] = [];
          const retries: number[] = [];
          let nowMs = 0;
          let inFlight = 0;
          for (const { afterMs, requests: count, tries } of steps) {
            nowMs += afterMs;
            for (let i = 0; i < count; i++) budget.recordRequest(nowMs);
            for (let i = 0; i < count; i++) requests.push(nowMs);
            for (let i = 0; i < tries; i++) {
              if (budget.tryWithdraw(nowMs)) {
                retries.push(nowMs);
                inFlight++;
                // The newest slot is up to half a second old: the window is at least 9.5 s, at most 10 s.
                const got = retries.filter((at) => at > nowMs - retryWindowMs + 500).length;
                const asked = requests.filter((at) => at > nowMs - retryWindowMs).length;
                expect(got).toBeLessThanOrEqual(Math.max((asked * percent) / 100, minConcurrent * 10));
              }
              if (inFlight > 0 && ends.next().value) {
                budget.release();
                inFlight--;
              }
            }
            expect(budget.inFlight).toBe(inFlight);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
