/**
 * What one caller saw of one target since its last report: the counts from which the fleet decides. Deltas, because the
 * leader adds up intervals of many callers. A request is counted once, when its outcome is known; our own refusals
 * appear in `demand` only.
 */
import { Outcome } from './outcome.ts';

/** Endpoints counted apart per interval; what is beyond counts in the totals only. */
export const endpointsTrackedMax = 64;
/** Endpoints in a report, the worst by failures. */
export const endpointsReportedMax = 8;

export interface EndpointCountsView {
  readonly address: string;
  readonly n: number;
  readonly fail: number;
}

/** One interval, in the shape of `TargetCounts` in fleet.proto. */
export interface TargetCountsView {
  readonly n: number;
  readonly fail: number;
  readonly slow: number;
  readonly localFail: number;
  readonly shed: number;
  readonly latencyMeanMs: number;
  readonly demand: number;
  readonly endpoints: readonly EndpointCountsView[];
}

export class TargetCounts {
  /** Requests that came to success or failure of the upstream. */
  n = 0;
  fail = 0;
  slow = 0;
  /** Failures on this side of the wire. */
  localFail = 0;
  /** Answers that said "overloaded" or "rate limited". */
  shed = 0;
  /** Requests wanted, those included that were refused here. */
  demand = 0;
  private latencySumMs = 0;
  private readonly indexes = new Map<string, number>();
  private readonly endpointN = new Float64Array(endpointsTrackedMax);
  private readonly endpointFail = new Float64Array(endpointsTrackedMax);

  recordDemand(): void {
    this.demand++;
  }

  /** Success or failure by `address`; ignored outcomes count nowhere here. */
  recordOutcome(outcome: number, latencyMs: number, address: string, slow = false): void {
    if (outcome === Outcome.ignored) return;
    const failed = outcome === Outcome.failure;
    this.n++;
    if (failed) this.fail++;
    if (slow) this.slow++;
    this.latencySumMs += latencyMs;
    const index = this.indexOf(address);
    if (index < 0) return;
    this.endpointN[index]! += 1;
    if (failed) this.endpointFail[index]! += 1;
  }

  recordShed(): void {
    this.shed++;
  }

  recordLocalFailure(): void {
    this.localFail++;
  }

  /** What another thread drained. */
  add(view: TargetCountsView): void {
    this.n += view.n;
    this.fail += view.fail;
    this.slow += view.slow;
    this.localFail += view.localFail;
    this.shed += view.shed;
    this.demand += view.demand;
    this.latencySumMs += view.latencyMeanMs * view.n;
    for (const { address, n, fail } of view.endpoints) {
      const index = this.indexOf(address);
      if (index < 0) continue;
      this.endpointN[index]! += n;
      this.endpointFail[index]! += fail;
    }
  }

  get isEmpty(): boolean {
    return this.n === 0 && this.demand === 0 && this.shed === 0 && this.localFail === 0;
  }

  /** The interval's counts; the next interval begins at zero. */
  drain(): TargetCountsView {
    const view: TargetCountsView = {
      n: this.n,
      fail: this.fail,
      slow: this.slow,
      localFail: this.localFail,
      shed: this.shed,
      latencyMeanMs: this.n > 0 ? this.latencySumMs / this.n : 0,
      demand: this.demand,
      endpoints: this.worstEndpoints(),
    };
    this.n = 0;
    this.fail = 0;
    this.slow = 0;
    this.localFail = 0;
    this.shed = 0;
    this.demand = 0;
    this.latencySumMs = 0;
    this.indexes.clear();
    this.endpointN.fill(0);
    this.endpointFail.fill(0);
    return view;
  }

  private indexOf(address: string): number {
    const known = this.indexes.get(address);
    if (known !== undefined) return known;
    const index = this.indexes.size;
    if (index === endpointsTrackedMax) return -1;
    this.indexes.set(address, index);
    return index;
  }

  /** Those that failed most first; among equals the busier one. */
  private worstEndpoints(): EndpointCountsView[] {
    const all: EndpointCountsView[] = [];
    for (const [address, index] of this.indexes) {
      all.push({ address, n: this.endpointN[index]!, fail: this.endpointFail[index]! });
    }
    all.sort((a, b) => b.fail - a.fail || b.n - a.n);
    return all.slice(0, endpointsReportedMax);
  }
}
