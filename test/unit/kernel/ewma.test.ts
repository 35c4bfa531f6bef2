/** The moving average: what a sample weighs. */
import { describe, expect, it } from 'vitest';
import { Ewma } from '../../../proto/kernel/ewma.ts';

describe('Ewma', () => {
  it('takes over the first sample whole and then moves by its weight', () => {
    const average = new Ewma(0.25);
    expect(average.hasValue()).toBe(false);
    expect(average.update(8)).toBe(8);
    expect(average.update(16)).toBe(10);
    expect(average.update(10)).toBe(10);
    expect(average.hasValue()).toBe(true);
  });

  it('forgets: after 1/weight samples about two thirds are new', () => {
    const average = new Ewma(1 / 32);
    average.update(0);
    for (let i = 0; i < 32; i++) average.update(1);
    expect(average.value).toBeCloseTo(1 - (31 / 32) ** 32, 10);
  });

  it.each([0, -1, 1.1, Number.NaN])('refuses the weight %d', (weight) => {
    expect(() => new Ewma(weight)).toThrow(/weight/);
  });
});
