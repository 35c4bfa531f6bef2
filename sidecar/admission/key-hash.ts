/**
 * HalfSipHash-1-3 with 64 bits of result: names a key in memory where strings cannot stand. Keyed by a secret, since
 * strangers choose the keys: whoever could find two keys of one name could empty another caller's bucket.
 */

/** The two halves of the last hash; read them before the next. */
export class KeyHash {
  low = 0;
  high = 0;
  private readonly k0: number;
  private readonly k1: number;
  private v0 = 0;
  private v1 = 0;
  private v2 = 0;
  private v3 = 0;

  constructor(k0: number, k1: number) {
    this.k0 = k0 | 0;
    this.k1 = k1 | 0;
  }

  /** Two characters a word, so any text has a hash of its own. */
  hash(text: string): void {
    const { length } = text;
    this.v0 = this.k0;
    this.v1 = this.k1 ^ 0xee;
    this.v2 = 0x6c796765 ^ this.k0;
    this.v3 = 0x74656462 ^ this.k1;
    let at = 0;
    for (; at + 1 < length; at += 2) this.mix(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
    // The length tells "a" from "a\\0".
    this.mix(at < length ? text.charCodeAt(at) : 0);
    this.mix(length);
    this.v2 ^= 0xee;
    this.finish();
    this.low = this.v1 ^ this.v3;
    this.v1 ^= 0xdd;
    this.finish();
    this.high = this.v1 ^ this.v3;
  }

  private mix(word: number): void {
    this.v3 ^= word;
    this.round();
    this.v0 ^= word;
  }

  private finish(): void {
    this.round();
    this.round();
    this.round();
  }

  private round(): void {
    let { v0, v1, v2, v3 } = this;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    this.v0 = v0;
    this.v1 = v1;
    this.v2 = v2;
    this.v3 = v3;
  }
}
