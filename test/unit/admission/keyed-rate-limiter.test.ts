/** Buckets per key, and what happens when there are more keys than slots. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyedRateLimiter, keyLengthMax } from '../../../sidecar/admission/keyed-rate-limiter.ts';
import { arrivals, expectBound, meters, type Passage } from './arrivals.ts';

const slow = { kind: 'tokenBucket', ratePerSecond: 1, burst: 1 } as const;

describe('KeyedRateLimiter', () => {
  it('gives each key a bucket of its own', () => {
    const limiter = new KeyedRateLimiter(slow, 10);
    expect(limiter.tryAcquire('a', 0)).toBe(0);
    expect(limiter.tryAcquire('b', 0)).toBe(0);
    expect(limiter.tryAcquire('a', 0)).toBeCloseTo(1000, 3);
    expect(limiter.tryAcquire('a', 1000)).toBe(0);
    expect(limiter.size).toBe(2);
  });

  it('gives the slot of a key whose bucket is full again to a newcomer', () => {
    const limiter = new KeyedRateLimiter(slow, 2);
    limiter.tryAcquire('a', 0);
    limiter.tryAcquire('b', 500);
    expect(limiter.tryAcquire('c', 1000)).toBe(0);
    expect(limiter.overflows).toBe(0);
    // b kept its slot and its history.
    expect(limiter.tryAcquire('b', 1000)).toBeCloseTo(500, 3);
    expect(limiter.size).toBe(2);
  });

  it('lets newcomers share one bucket when every slot is in use', () => {
    const limiter = new KeyedRateLimiter({ ...slow, burst: 2 }, 2);
    for (const key of ['a', 'b']) limiter.tryAcquire(key, 0);
    expect(limiter.tryAcquire('c', 0)).toBe(0);
    expect(limiter.tryAcquire('d', 0)).toBe(0);
    expect(limiter.tryAcquire('e', 0)).toBeCloseTo(1000, 3);
    expect(limiter.overflows).toBe(3);
    // Those with a slot of their own do not feel it.
    expect(limiter.tryAcquire('a', 0)).toBe(0);
  });

  it('never remembers more than keysMax, whatever strangers send', () => {
    const limiter = new KeyedRateLimiter(slow, 100);
    for (let i = 0; i < 10_000; i++) limiter.tryAcquire(`stranger-${i}`, i / 10);
    expect(limiter.size).toBe(100);
  });

  it('finds the recyclable slots again when a flood of keys is over', () => {
    const limiter = new KeyedRateLimiter(slow, 100);
    for (let i = 0; i < 1000; i++) limiter.tryAcquire(`stranger-${i}`, 0);
    const before = limiter.overflows;
    for (let i = 0; i < 100; i++) expect(limiter.tryAcquire(`client-${i}`, 2000)).toBe(0);
    expect(limiter.overflows).toBe(before);
  });

  it('cuts keys longer than 256 characters and still tells them apart', () => {
    const limiter = new KeyedRateLimiter(slow, 10);
    const long = 'x'.repeat(keyLengthMax);
    expect(limiter.tryAcquire(long, 0)).toBe(0);
    expect(limiter.tryAcquire(`${long}1`, 0)).toBe(0);
    expect(limiter.tryAcquire(`${long}2`, 0)).toBe(0);
    expect(limiter.tryAcquire(`${long}2`, 0)).toBeGreaterThan(0);
    expect(limiter.tryAcquire(`${long}22`, 0)).toBe(0);
  });

  it('takes any text as a key', () => {
    const limiter = new KeyedRateLimiter(slow, 10);
    for (const key of ['', '\u0000', 'é', '日本', '\ud800', '__proto__']) {
      expect(limiter.tryAcquire(key, 0)).toBe(0);
      expect(limiter.tryAcquire(key, 0)).toBeGreaterThan(0);
    }
  });

  it('never forgets a key that is being limited, however many keys a stranger makes up', () => {
    for (const kind of ['fixedWindow', 'slidingWindow'] as const) {
      const limiter = new KeyedRateLimiter({ kind, limit: 3, windowMs: 1000 }, 50);
      const admitted: number[] = [];
      for (let i = 0; i < 3000; i++) {
        if (limiter.tryAcquire('known', i) === 0) admitted.push(i);
        for (let j = 0; j < 3; j++) limiter.tryAcquire(`stranger-${i * 3 + j}`, i);
      }
      expect(limiter.size).toBe(50);
      const firstWindow = admitted.filter((atMs) => atMs < 1000);
      expect([kind, firstWindow]).toEqual([kind, [0, 1, 2]]);
      expect(admitted.length).toBeLessThanOrEqual(9);
    }
  });

  it('does not let a flood of keys take more than one bucket beyond the table', () => {
    const limiter = new KeyedRateLimiter({ ...slow, burst: 5 }, 100);
    let admitted = 0;
    for (let i = 0; i < 100_000; i++) if (limiter.tryAcquire(`stranger-${i}`, 0) === 0) admitted++;
    expect([admitted, limiter.size, limiter.overflows]).toEqual([105, 100, 99_900]);
  });

  it('keeps what each meter promises for every key, at the key bound as well', () => {
    const keyed = arrivals.chain((times) =>
      fc
        .array(fc.record({ id: fc.nat(6), cost: fc.integer({ min: 1, max: 3 }) }), {
          minLength: times.length,
          maxLength: times.length,
        })
        .map((asked) => times.map((nowMs, i) => ({ nowMs, key: `key-${asked[i]!.id}`, cost: asked[i]!.cost }))),
    );
    fc.assert(
      fc.property(meters, fc.integer({ min: 1, max: 7 }), keyed, (options, keysMax, requests) => {
        const limiter = new KeyedRateLimiter(options, keysMax);
        const own = new Map<string, Passage[]>();
        const overflow: Passage[] = [];
        for (const { nowMs, key, cost } of requests) {
          const before = limiter.overflows;
          const answer = limiter.tryAcquire(key, nowMs, cost);
          if (answer > 0) continue;
          const passage = { atMs: nowMs - answer, cost };
          if (limiter.overflows > before) overflow.push(passage);
          else own.set(key, [...(own.get(key) ?? []), passage]);
        }
        expect(limiter.size).toBeLessThanOrEqual(keysMax);
        for (const passages of own.values()) expectBound(passages, options);
        expectBound(overflow, options);
        if (keysMax === 7) expect(overflow).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });
});
