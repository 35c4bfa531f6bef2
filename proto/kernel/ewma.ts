/**
 * An exponentially weighted moving average: each sample moves it by `weight` of the distance, so the last 1/weight
 * samples carry about two thirds of it. Memory of one number, where a window would need them all.
 */
import { assert } from './assert.ts';

export class Ewma {
  /** NaN until the first sample, which it takes over whole. */
  value = Number.NaN;
  private readonly weight: number;

  constructor(weight: number) {
    assert(weight > 0 && weight <= 1, `a weight lies in (0, 1], not ${weight}`);
    this.weight = weight;
  }

  update(sample: number): number {
    this.value = Number.isNaN(this.value) ? sample : this.value + (sample - this.value) * this.weight;
    return this.value;
  }

  hasValue(): boolean {
    return !Number.isNaN(this.value);
  }
}
