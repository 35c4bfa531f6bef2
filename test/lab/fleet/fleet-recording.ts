/** What became of the requests of a simulated fleet, in bins of 50 ms. */
export const fleetBinMs = 50;

export class FleetRecording {
  readonly wanted: Float64Array;
  readonly sent: Float64Array;
  readonly failed: Float64Array;
  readonly good: Float64Array;

  constructor(durationMs: number) {
    const bins = Math.ceil(durationMs / fleetBinMs) + 1;
    this.wanted = new Float64Array(bins);
    this.sent = new Float64Array(bins);
    this.failed = new Float64Array(bins);
    this.good = new Float64Array(bins);
  }

  count(what: 'wanted' | 'sent' | 'failed' | 'good', nowMs: number): void {
    const bin = Math.floor(nowMs / fleetBinMs);
    if (bin >= 0 && bin < this.wanted.length) this[what][bin]! += 1;
  }

  sum(what: 'wanted' | 'sent' | 'failed' | 'good', fromMs: number, toMs = Number.POSITIVE_INFINITY): number {
    let total = 0;
    const last = Math.min(this.wanted.length, Math.ceil(toMs / fleetBinMs));
    for (let bin = Math.floor(fromMs / fleetBinMs); bin < last; bin++) total += this[what][bin]!;
    return total;
  }

  /** Ms from `fromMs` until, for half a second, no more than `share` of what is wanted is let through; NaN: never. */
  blockedAfterMs(share: number, fromMs: number, untilMs: number): number {
    for (let atMs = fromMs; atMs + 500 <= untilMs; atMs += fleetBinMs) {
      const wanted = this.sum('wanted', atMs, atMs + 500);
      if (this.sum('sent', atMs, atMs + 500) <= share * wanted) return atMs - fromMs;
    }
    return Number.NaN;
  }

  /** Ms from `fromMs` until `share` of what is wanted is answered well, for half a second and the two after; NaN: never. */
  recoveredAfterMs(share: number, fromMs: number, untilMs: number): number {
    const isGood = (atMs: number, spanMs: number) =>
      this.sum('good', atMs, atMs + spanMs) >= share * this.sum('wanted', atMs, atMs + spanMs);
    for (let atMs = fromMs; atMs + 2000 <= untilMs; atMs += fleetBinMs) {
      if (isGood(atMs, 500) && isGood(atMs, 2000)) return atMs - fromMs;
    }
    return Number.NaN;
  }
}
