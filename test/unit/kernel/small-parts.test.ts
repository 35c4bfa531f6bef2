/** The kernel's parts of a few lines: assert, fnv, random. */
import { describe, expect, it } from 'vitest';
import { AssertionError, assert } from '../../../proto/kernel/assert.ts';
import { fnv1a } from '../../../proto/kernel/fnv.ts';
import { jitter, XorShift32 } from '../../../proto/kernel/random.ts';

describe('assert', () => {
  it('throws only when the condition does not hold', () => {
    assert(true, 'fine');
    expect(() => assert(false, 'not so')).toThrow(new AssertionError('not so'));
  });
});

describe('fnv1a', () => {
  it('gives the published values', () => {
    // http://www.isthe.com/chongo/tech/comp/fnv/
    expect([fnv1a(''), fnv1a('a'), fnv1a('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});

describe('XorShift32', () => {
  it('repeats itself for the same seed', () => {
    const [a, b] = [new XorShift32(7), new XorShift32(7)];
    for (let i = 0; i < 100; i++) expect(a.next()).toBe(b.next());
  });

  it('lies in [0, 1) and is spread evenly, also for the seed 0', () => {
    const random = new XorShift32(0);
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const value = random.next();
      expect(value >= 0 && value < 1).toBe(true);
      tenths[Math.floor(value * 10)]! += 1;
    }
    for (const count of tenths) expect(count).toBeGreaterThan(850);
  });
});

describe('jitter', () => {
  it('stays within the share on both sides', () => {
    expect(jitter(1000, 0.2, { next: () => 0 })).toBe(800);
    expect(jitter(1000, 0.2, { next: () => 0.5 })).toBe(1000);
    expect(jitter(1000, 0.2, { next: () => 0.999_999 })).toBeLessThan(1200);
  });
});
