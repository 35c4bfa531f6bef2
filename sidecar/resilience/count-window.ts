/**
 * Good and bad among the last N calls, however long ago they were: a ring of bits. For targets that are called so seldom
 * that a window of time never holds enough of them, and for tests that want to say "7 of the last 10". A call is
 * forgotten exactly when the N-th after it comes.
 */
import { assert } from '../../proto/kernel/assert.ts';
/** A longer window would make the breaker that threads have in common costly to copy. */
export const countWindowMax = 1000;

const bitsPerWord = 32;
const words = Math.ceil(countWindowMax / bitsPerWord);

export class CountWindow {
  total = 0;
  bad = 0;
  private readonly size: number;
  /** Where the next call goes; when the ring is full, the oldest stands there. */
  private next = 0;
  private readonly bits = new Uint32Array(words);

  constructor(size: number) {
    assert(Number.isInteger(size) && size >= 1 && size <= countWindowMax, `a window of ${size} calls`);
    this.size = size;
  }

  record(isBad: boolean, _nowMs: number): void {
    const word = this.next >>> 5;
    const bit = 1 << (this.next & 31);
    if (this.total < this.size) this.total++;
    else if ((this.bits[word]! & bit) !== 0) this.bad--;
    if (isBad) {
      this.bits[word]! |= bit;
      this.bad++;
    } else this.bits[word]! &= ~bit;
    this.next++;
    if (this.next === this.size) this.next = 0;
  }

  reset(): void {
    this.total = 0;
    this.bad = 0;
    this.next = 0;
    this.bits.fill(0);
  }

  static readonly frozenLength = 4 + words;

  freeze(into: Float64Array, at: number): void {
    into[at] = -this.size;
    into[at + 1] = this.total;
    into[at + 2] = this.bad;
    into[at + 3] = this.next;
    const used = Math.ceil(this.size / bitsPerWord);
    for (let i = 0; i < used; i++) into[at + 4 + i] = this.bits[i]!;
  }

  thaw(from: Float64Array, at: number): void {
    if (from[at] !== -this.size) return this.reset();
    this.total = from[at + 1]!;
    this.bad = from[at + 2]!;
    this.next = from[at + 3]!;
    const used = Math.ceil(this.size / bitsPerWord);
    for (let i = 0; i < used; i++) this.bits[i] = from[at + 4 + i]!;
  }
}
