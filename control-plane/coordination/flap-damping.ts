/**
 * A target that opens again and again is left alone for longer each time (after BGP's route-flap damping, RFC 2439): every
 * opening adds to a penalty that halves in a minute; while it is high, the cool time may double further.
 */
const penaltyPerOpening = 1000;
const halfLifeMs = 60_000;
const dampedFrom = 2000;

export class FlapDamping {
  private penalty = 0;
  private atMs = 0;

  recordOpening(nowMs: number): void {
    this.penalty = this.at(nowMs) + penaltyPerOpening;
    this.atMs = nowMs;
  }

  isDamped(nowMs: number): boolean {
    return this.at(nowMs) > dampedFrom;
  }

  private at(nowMs: number): number {
    return this.penalty * 2 ** (-(nowMs - this.atMs) / halfLifeMs);
  }
}
