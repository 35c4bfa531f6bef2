/**
 * A ramp without a leader: the share doubles every half second by the caller's own clock, for as long as its own breaker
 * stays closed. When that opens, everything is shut again, and probes go on by time slots.
 */
const firstShare = 0.05;
const stageMs = 500;

export class OwnRamp {
  state: 'ramp' | 'open' | 'closed' = 'ramp';
  allow: number;
  private sinceMs: number;
  private isTold = false;

  /** Begins, or goes on from `allow`. */
  constructor(allow: number, nowMs: number) {
    this.allow = Math.max(firstShare, allow);
    this.sinceMs = nowMs;
  }

  /** True when there is something to tell the breaker. */
  tick(hasFailed: boolean, nowMs: number): boolean {
    if (this.state !== 'ramp') return false;
    if (!this.isTold) {
      // Until it is told, the breaker is shut for what was before.
      this.isTold = true;
      return true;
    }
    if (hasFailed) {
      this.state = 'open';
      return true;
    }
    if (nowMs - this.sinceMs < stageMs) return false;
    this.sinceMs = nowMs;
    if (this.allow >= 1) this.state = 'closed';
    else this.allow = Math.min(1, this.allow * 2);
    return true;
  }
}
