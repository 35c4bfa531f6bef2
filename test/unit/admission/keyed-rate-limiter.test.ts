/** Buckets per key, and what happens when there are more keys than slots. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyedRateLimiter, keyLengthMax } from '../../../sidecar/admission/keyed-rate-limiter.ts';
import { arrivals, expectBound, limits } from './arrivals.ts';

const slow = { ratePerSecond: 1, burst: 1 };

describe('KeyedRateLimiter', () => {
  it('gives each key a bucket of its own', () => {
    const limiter = new KeyedRateLimiter({ ...slow, keysMax: 10 });
    expect(limiter.tryAcquire('a', 0)).toBe(0);
    expect(limiter.tryAcquire('b', 0)).toBe(0);
    expect(limiter.tryAcquire('a', 0)).toBeCloseTo(1000, 3);
    expect(limiter.tryAcquire('a', 1000)).toBe(0);
    expect(limiter.size).toBe(2);
  });

  it('gives the slot of a key whose bucket is full again to a newcomer', () => {
    const limiter = new KeyedRateLimiter({ ...slow, keysMax: 2 });
    limiter.tryAcquire('a', 0);
    limiter.tryAcquire('b', 500);
    expect(limiter.tryAcquire('c', 1000)).toBe(0);
    expect(limiter.overflows).toBe(0);
    // b kept its slot and its history.
    expect(limiter.tryAcquire('b', 1000)).toBeCloseTo(500, 3);
    expect(limiter.size).toBe(2);
  });

  it('lets newcomers share one bucket when every slot is in use', () => {
    const limiter = new KeyedRateLimiter({ ratePerSecond: 1, burst: 2, keysMax: 2 });
    for (const key of ['a', 'b']) limiter.tryAcquire(key, 0);
    expect(limiter.tryAcquire('c', 0)).toBe(0);
    expect(limiter.tryAcquire('d', 0)).toBe(0);
    expect(limiter.tryAcquire('e', 0)).toBeCloseTo(1000, 3);
    expect(limiter.overflows).toBe(3);
    // Those with a slot of their own do not feel it.
    expect(limiter.tryAcquire('a', 0)).toBe(0);
  });

  it('never remembers more than keysMax, whatever strangers send', () => {
    const limiter = new KeyedRateLimiter({ ratePerSecond: 1, burst: 1, keysMax: 100 });
    for (let i = 0; i < 10_000; i++) limiter.tryAcquire(`stranger-${i}`, i / 10);
    expect(limiter.size).toBe(100);
  });

  it('finds the recyclable slots again when a flood of keys is over', () => {
    const limiter = new KeyedRateLimiter({ ratePerSecond: 1, burst: 1, keysMax: 100 });
    for (let i = 0; i < 1000; i++) limiter.tryAcquire(`stranger-${i}`, 0);
    const before = limiter.overflows;
    for (let i = 0; i < 100; i++) expect(limiter.tryAcquire(`client-${i}`, 2000)).toBe(0);
    expect(limiter.overflows).toBe(before);
  });

  it('cuts keys longer than 256 characters and still tells them apart', () => {
    const limiter = new KeyedRateLimiter({ ...slow, keysMax: 10 });
    const long = 'x'.repeat(keyLengthMax);
    expect(limiter.tryAcquire(long, 0)).toBe(0);
    expect(limiter.tryAcquire(`${long}1`, 0)).toBe(0);
    expect(limiter.tryAcquire(`${long}2`, 0)).toBe(0);
    expect(limiter.tryAcquire(`${long}2`, 0)).toBeGreaterThan(0);
    expect(limiter.tryAcquire(`${long}22`, 0)).toBe(0);
  });

  it('takes any text as a key', () => {
    const limiter = new KeyedRateLimiter({ ...slow, keysMax: 10 });
    for (const key of ['', '\u0000', 'é', '日本', '\ud800', '__proto__']) {
      expect(limiter.tryAcquire(key, 0)).toBe(0);
      expect(limiter.tryAcquire(key, 0)).toBeGreaterThan(0);
    }
  });

  it('keeps its bounds for every key, at the key bound as well', () => {
    const keyed = arrivals.chain((times) =>
      fc
        .array(fc.nat(6), { minLength: times.length, maxLength: times.length })
        .map((ids) => times.map((nowMs, i) => ({ nowMs, key: `key-${ids[i]}` }))),
    );
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 7 }), keyed, (limit, keysMax, requests) => {
        const limiter = new KeyedRateLimiter({ ...limit, keysMax });
        const own = new Map<string, number[]>();
        const overflow: number[] = [];
        for (const { nowMs, key } of requests) {
          const before = limiter.overflows;
          if (limiter.tryAcquire(key, nowMs) !== 0) continue;
          if (limiter.overflows > before) overflow.push(nowMs);
          else own.set(key, [...(own.get(key) ?? []), nowMs]);
        }
        expect(limiter.size).toBeLessThanOrEqual(keysMax);
        for (const admittedMs of own.values()) expectBound(admittedMs, limit);
        expectBound(overflow, limit);
        if (keysMax === 7) expect(overflow).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
