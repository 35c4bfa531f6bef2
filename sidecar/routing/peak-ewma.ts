/**
 * How fast an endpoint answers, as Finagle and Linkerd estimate it: a moving average over about ten seconds that a slower
 * answer raises at once and faster ones lower slowly, so that an endpoint that begins to stall is avoided with its first
 * late answer. Unasked, the estimate fades towards zero: an endpoint that was slow is tried again.
 *
 * Only success can lower it. An endpoint that refuses or fails at once would else look like the fastest of all and
 * attract the traffic of the others.
 */
/** What is assumed of an endpoint that has not answered yet. */
export const defaultRttMs = 30;
export const decayMs = 10_000;
/** Refusals raise the estimate no further. */
const noRoomMaxMs = 1000;

export class PeakEwma {
  private valueMs = defaultRttMs;
  /** Since when the value fades; negative = nothing is known yet. */
  private atMs = -1;

  get isKnown(): boolean {
    return this.atMs >= 0;
  }

  read(nowMs: number): number {
    return this.atMs < 0 ? this.valueMs : this.valueMs * Math.exp((this.atMs - nowMs) / decayMs);
  }

  recordSuccess(latencyMs: number, nowMs: number): void {
    const weight = this.atMs < 0 ? 1 : Math.exp((this.atMs - nowMs) / decayMs);
    const faded = this.valueMs * weight;
    this.valueMs = latencyMs >= faded ? latencyMs : faded + latencyMs * (1 - weight);
    this.atMs = nowMs;
  }

  recordFailure(latencyMs: number, nowMs: number): void {
    if (latencyMs > this.valueMs) this.valueMs = latencyMs;
    this.atMs = nowMs;
  }

  /**
   * Its sidecar had no room for a request. How long one would have waited it does not say; longer than what others took,
   * and those after it may fare alike: twice what was thought, so that some more go elsewhere.
   */
  recordNoRoom(latencyMs: number, nowMs: number): void {
    const known = this.read(nowMs);
    this.valueMs = Math.max(latencyMs, Math.min(2 * known, Math.max(known, noRoomMaxMs)));
    this.atMs = nowMs;
  }

  /** It comes back after a while: what was known is old. */
  forget(): void {
    this.valueMs = defaultRttMs;
    this.atMs = -1;
  }
}
