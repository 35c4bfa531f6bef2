/**
 * Randomness as a value that is handed in, so that a simulation with the same seed takes the same decisions and a
 * failure can be replayed. Not for secrets.
 */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/** Marsaglia's xorshift, 32 bits of state: small, fast, good enough to pick endpoints and jitter. */
export class XorShift32 implements Random {
  private state: number;

  constructor(seed: number) {
    // Zero is the one state xorshift never leaves.
    this.state = seed | 0 || 0x9e3779b9;
  }

  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return (x >>> 0) / 4294967296;
  }
}

/** `value` ± `share` of it, for example jitter(1000, 0.2, random) in [800, 1200). */
export function jitter(value: number, share: number, random: Random): number {
  return value * (1 - share + 2 * share * random.next());
}
