/** The ring, compared with a plain list. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../../proto/kernel/ring.ts';

describe('Ring', () => {
  it('gives back in the order of arrival and says no when full', () => {
    const ring = new Ring<string>(2);
    expect(ring.push('a')).toBe(true);
    expect(ring.push('b')).toBe(true);
    expect(ring.isFull()).toBe(true);
    expect(ring.push('c')).toBe(false);
    expect(ring.shift()).toBe('a');
    expect(ring.push('c')).toBe(true);
    expect([ring.at(0), ring.at(1), ring.at(2), ring.at(-1)]).toEqual(['b', 'c', undefined, undefined]);
    ring.clear();
    expect(ring.shift()).toBeUndefined();
    expect(ring.size).toBe(0);
  });

  it('needs room for at least one', () => {
    expect(() => new Ring(0)).toThrow(/capacity/);
  });

  it('behaves like a list under any order of operations', () => {
    const operation = fc.oneof(fc.integer({ min: 0, max: 99 }), fc.constant('shift' as const));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(operation, { maxLength: 60 }), (capacity, operations) => {
        const ring = new Ring<number>(capacity);
        const model: number[] = [];
        for (const step of operations) {
          if (step === 'shift') {
            expect(ring.shift()).toBe(model.shift());
          } else {
            const fits = model.length < capacity;
            expect(ring.push(step)).toBe(fits);
            if (fits) model.push(step);
          }
          expect(ring.size).toBe(model.length);
          expect(model.map((_, i) => ring.at(i))).toEqual(model);
        }
      }),
    );
  });
});
