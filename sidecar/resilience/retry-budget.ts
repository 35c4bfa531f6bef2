/**
 * How many retries, and hedges, a target gets: at most a share of its requests, so that retries cannot multiply a load
 * that is already too much. After Finagle's RetryBudget, with the floor of Envoy's `retry_budget`:
 *
 *   in any 10 s:  retries ≤ max(percent of the requests in them, 10 · minConcurrent)
 *   above the share, only while fewer than minConcurrent are under way
 *
 * The floor is for quiet callers, for whom a share of next to nothing would be no retry at all. It is a maximum and not
 * a sum: with 30 requests a second and more, the share alone counts. A token bucket would do with less memory, but what
 * it admits depends on how long it had been quiet; a window says it in one sentence.
 *
 * Each thread has a budget of its own, which sees that thread's requests: the share holds for all of them together, the
 * floor for each.
 */

export interface RetryBudgetSettings {
  readonly percent: number;
  readonly minConcurrent: number;
}

export const retryWindowMs = 10_000;
const slots = 20;
const slotMs = retryWindowMs / slots;

export class RetryBudget {
  /** Under way. */
  inFlight = 0;
  private readonly settings: RetryBudgetSettings;
  private readonly requests = new Float64Array(slots);
  private readonly retries = new Float64Array(slots);
  private requestSum = 0;
  private retrySum = 0;
  private slot = 0;

  constructor(settings: RetryBudgetSettings) {
    this.settings = settings;
  }

  /** A request goes out for the first time. */
  recordRequest(nowMs: number): void {
    this.advance(nowMs);
    this.requests[this.slot % slots]! += 1;
    this.requestSum++;
  }

  /** Takes one; whoever gets it calls `release` when that retry is over. */
  tryWithdraw(nowMs: number): boolean {
    this.advance(nowMs);
    if (!this.allows()) return false;
    this.retries[this.slot % slots]! += 1;
    this.retrySum++;
    this.inFlight++;
    return true;
  }

  release(): void {
    this.inFlight--;
  }

  /** How many could go now, one after the other. */
  left(nowMs: number): number {
    this.advance(nowMs);
    return Math.max(0, Math.floor(Math.max(this.share(), this.floor()) - this.retrySum));
  }

  private allows(): boolean {
    const wanted = this.retrySum + 1;
    if (wanted <= this.share()) return true;
    return this.inFlight < this.settings.minConcurrent && wanted <= this.floor();
  }

  private share(): number {
    return (this.requestSum * this.settings.percent) / 100;
  }

  private floor(): number {
    return (this.settings.minConcurrent * retryWindowMs) / 1000;
  }

  private advance(nowMs: number): void {
    const slot = Math.floor(nowMs / slotMs);
    if (slot <= this.slot) return;
    const first = Math.max(this.slot + 1, slot - slots + 1);
    for (let at = first; at <= slot; at++) {
      const i = at % slots;
      this.requestSum -= this.requests[i]!;
      this.retrySum -= this.retries[i]!;
      this.requests[i] = 0;
      this.retries[i] = 0;
    }
    this.slot = slot;
  }
}
