/**
 * Calls under way that are slow already: a rule about slow calls need not wait for their answers. A service that has
 * become so slow that it limits itself to a few calls at once, or whose callers give up, would else give so few answers
 * that a breaker takes long to see what every one of its calls is a proof of.
 *
 *   began │ ▪▪ │ ▪ │ ▪▪▪ │ … │ ▪ │   counts of calls by when they began, eight for the time after which a call is slow
 *          └ overdue: taken as slow once, at the end of its slot; its end counts no second time
 *
 * In each thread by itself: what is found overdue goes to the breaker that threads have in common.
 */

/** What end() and the begin of an answer say of a call. */
export const CallWatch: Readonly<Record<'none' | 'counted', number>> = {
  /** Nothing: how long it took is to be judged by whoever knows. */
  none: -1,
  /** It was taken as slow already. */
  counted: -2,
};

const slotsPerLimit = 8;
const slotCount = slotsPerLimit + 2;

export class OverdueCalls {
  private readonly slotMs: number;
  private readonly counts = new Float64Array(slotCount);
  private generation = 0;
  private underWay = 0;
  /** Before it all have ended or were taken. */
  private oldest = 0;

  constructor(slowerThanMs: number) {
    this.slotMs = Math.max(1, slowerThanMs / slotsPerLimit);
  }

  /** A call begins under that generation of the breaker; those of another one say nothing any more. */
  begin(generation: number, nowMs: number): void {
    const slot = this.slotAt(nowMs);
    if (generation !== this.generation || this.underWay === 0 || slot - this.oldest >= slotCount) {
      this.generation = generation;
      this.counts.fill(0);
      this.underWay = 0;
      this.oldest = slot;
    }
    this.counts[slot % slotCount]! += 1;
    this.underWay++;
  }

  /** A call that began then ended, or its answer begins. */
  end(generation: number, beganMs: number): number {
    if (generation !== this.generation) return CallWatch.none;
    const slot = this.slotAt(beganMs);
    if (slot < this.oldest) return CallWatch.counted;
    if (this.counts[slot % slotCount] === 0) return CallWatch.none;
    this.counts[slot % slotCount]! -= 1;
    this.underWay--;
    return CallWatch.none;
  }

  /** How many have become slow since the last time. */
  takeLate(generation: number, nowMs: number): number {
    if (this.underWay === 0 || generation !== this.generation) return 0;
    const end = this.slotAt(nowMs) - slotsPerLimit;
    if (end <= this.oldest) return 0;
    let late = 0;
    for (let slot = this.oldest; slot < Math.min(end, this.oldest + slotCount); slot++) {
      late += this.counts[slot % slotCount]!;
      this.counts[slot % slotCount] = 0;
    }
    this.oldest = end;
    this.underWay -= late;
    return late;
  }

  private slotAt(nowMs: number): number {
    return Math.max(0, Math.floor(nowMs / this.slotMs));
  }
}
