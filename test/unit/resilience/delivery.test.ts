/** What an answer says about a delivered message, and how many are in the app's hands. */
import { describe, expect, it } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import { verdictOf } from '../../../sidecar/resilience/delivery-verdict.ts';
import { DeliveryWindow, redeliveryDelayMs, windowDefaults } from '../../../sidecar/resilience/delivery-window.ts';

describe('verdictOf', () => {
  it.each([
    [200, 'done'],
    [204, 'done'],
    [304, 'done'],
    [400, 'unprocessable'],
    [404, 'unprocessable'],
    [408, 'again'],
    [422, 'unprocessable'],
    [425, 'again'],
    [429, 'again'],
    [500, 'again'],
    [503, 'again'],
    [0, 'again'],
  ])('of an answer with %i is %s', (status, verdict) => {
    expect(verdictOf(false, status, '', Reason.none)).toBe(verdict);
  });

  it('of a call is by its status, and of one without any: again', () => {
    const of = (code: string): string => verdictOf(true, 200, code, Reason.none);
    expect(['0', '3', '5', '9', '12', '16'].map(of)).toEqual(['done', ...Array(5).fill('unprocessable')]);
    expect(['1', '2', '4', '8', '10', '13', '14', '15', '99', ''].map(of)).toEqual(Array(10).fill('again'));
  });

  it('of what never got to the app is: refused', () => {
    for (const reason of [Reason.queueFull, Reason.shed, Reason.upstreamConnect, Reason.paused, Reason.rateLimit]) {
      expect(verdictOf(false, 503, '', reason)).toBe('refused');
    }
    expect(verdictOf(false, 504, '', Reason.deadline)).toBe('again');
    expect(verdictOf(false, 502, '', Reason.upstreamReset)).toBe('again');
    expect(verdictOf(false, 400, '', Reason.badRequest)).toBe('unprocessable');
  });
});

describe('DeliveryWindow', () => {
  const windowOf = (sizeMax = 8): DeliveryWindow => new DeliveryWindow({ ...windowDefaults, sizeMax });

  it('grows by one for each window that went well, up to its bound and the limit of the app', () => {
    const window = windowOf(3);
    const sizes = [];
    for (let i = 0; i < 10; i++) {
      window.onAnswered();
      sizes.push(window.size);
    }
    expect(sizes).toEqual([2, 2, 3, 3, 3, 3, 3, 3, 3, 3]);
    expect([window.room(0, 100, 0), window.room(2, 100, 0), window.room(0, 2, 0), window.room(5, 100, 0)]).toEqual([
      3, 1, 2, 0,
    ]);
  });

  it('halves once for what is refused together, and rests for longer each time', () => {
    const window = windowOf();
    for (let i = 0; i < 30; i++) window.onAnswered();
    expect(window.size).toBe(8);
    window.onRefused(0);
    window.onRefused(1);
    expect([window.size, window.room(0, 100, 1), window.restMs(1)]).toEqual([4, 0, 99]);
    window.onRefused(100);
    expect([window.size, window.restMs(100)]).toEqual([2, 200]);
    for (let nowMs = 1000; nowMs < 60_000; nowMs += 2000) window.onRefused(nowMs);
    expect(window.restMs(59_000)).toBe(1000);
    window.onAnswered();
    window.onRefused(70_000);
    expect(window.restMs(70_000)).toBe(100);
  });

  it('rests after failures in a row, so that an outage does not spend deliveries', () => {
    const window = windowOf();
    let failed = 0;
    for (let nowMs = 0; nowMs < 300_000; nowMs += 10) {
      if (window.room(0, 100, nowMs) === 0) continue;
      failed++;
      window.onFailed(nowMs);
    }
    // In five minutes: four at once, nine while the rest doubles, then two a minute.
    expect(failed).toBeLessThan(25);
  });
});

describe('redeliveryDelayMs', () => {
  it('doubles up to its bound, ± 20 %', () => {
    expect([1, 2, 3, 4, 99].map((n) => redeliveryDelayMs(n, 1000, 5000, 0.5))).toEqual([1000, 2000, 4000, 5000, 5000]);
    expect([redeliveryDelayMs(1, 1000, 5000, 0), Math.round(redeliveryDelayMs(1, 1000, 5000, 1))]).toEqual([800, 1200]);
  });
});
