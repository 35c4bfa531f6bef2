/**
 * The recent past of one row of counters of one sidecar. Heartbeats carry totals since the process began, so a lost
 * one loses nothing: a rate is the difference of two totals over the time between them. What is not known is null; a
 * sidecar heard only once has no rate yet, which is not a rate of zero.
 *
 * Ten thousand sidecars are heard every second, so figures are copied into what is already here: what a heartbeat was
 * decoded into is garbage at once, which costs V8 next to nothing, and not five seconds later, when it costs a lot.
 */

import type { Traffic } from '../../proto/fleet-messages.ts';
import { addSparse } from '../../proto/kernel/histogram.ts';

/** Rates are over about this long: short enough to be "now", long enough to be steady at one heartbeat a second. */
export const rateWindowMs = 5_000;
/** Percentiles need more samples than rates. */
export const latencyWindowMs = 10_000;
/** At one heartbeat a second more than the rate window; a faster sender only shortens its own window. */
const samplesMax = 12;
/** Histograms are kept at this distance: the newest, and two or three to subtract from it. */
const histogramEveryMs = 4_000;
const histogramsMax = 5;
/** Reasons of refusal beyond this are not those of any version we know. */
const reasonsMax = 64;

interface Sample {
  atMs: number;
  requests: number;
  success: number;
  failure: number;
  rejected: Readonly<Record<string, number>>;
}

interface HistogramSample {
  readonly atMs: number;
  readonly buckets: readonly number[];
}

export interface Rates {
  readonly requestsPerSecond: number;
  readonly successPerSecond: number;
  readonly failuresPerSecond: number;
  readonly rejectedPerSecond: Readonly<Record<string, number>>;
}

export class CounterSeries {
  private readonly samples: Sample[] = [];
  private readonly histograms: HistogramSample[] = [];
  private readonly newestBuckets: number[] = [];
  private readonly newest: { -readonly [Field in keyof Traffic]: Traffic[Field] };

  constructor(traffic: Traffic, nowMs: number) {
    this.newest = { ...traffic, latencyBuckets: this.newestBuckets, rejected: {} };
    this.add(traffic, nowMs);
  }

  /** The last row heard. */
  get latest(): Traffic {
    return this.newest;
  }

  add(traffic: Traffic, nowMs: number): void {
    const last = this.samples.at(-1);
    const { requests, success, failure } = traffic;
    // Totals never fall within one incarnation; if they do, the sender began again.
    if (last && requests < last.requests) this.clear();
    this.take(traffic);
    const sample = this.samples.length >= samplesMax ? this.samples.shift() : undefined;
    const { rejected } = this.newest;
    if (sample) {
      Object.assign(sample, { atMs: nowMs, requests, success, failure, rejected });
      this.samples.push(sample);
    } else this.samples.push({ atMs: nowMs, requests, success, failure, rejected });
    const kept = this.histograms.at(-1);
    if (!kept || nowMs - kept.atMs >= histogramEveryMs) {
      this.histograms.push({ atMs: nowMs, buckets: [...this.newestBuckets] });
      if (this.histograms.length > histogramsMax) this.histograms.shift();
    }
  }

  /** Null until two heartbeats are known. */
  rates(): Rates | null {
    const newest = this.samples.at(-1);
    const base = this.samples.find((sample) => newest && newest.atMs - sample.atMs <= rateWindowMs + 500);
    if (!newest || !base || newest.atMs <= base.atMs) return null;
    const perSecond = 1000 / (newest.atMs - base.atMs);
    const rejectedPerSecond: Record<string, number> = {};
    for (const [reason, count] of Object.entries(newest.rejected)) {
      const more = count - (base.rejected[reason] ?? 0);
      if (more > 0) rejectedPerSecond[reason] = more * perSecond;
    }
    return {
      requestsPerSecond: (newest.requests - base.requests) * perSecond,
      successPerSecond: Math.max(0, newest.success - base.success) * perSecond,
      failuresPerSecond: Math.max(0, newest.failure - base.failure) * perSecond,
      rejectedPerSecond,
    };
  }

  /** Adds the requests of the latency window to a dense histogram. */
  addLatencies(into: Float64Array, nowMs: number): void {
    const base = this.histograms.find((sample) => nowMs - sample.atMs <= latencyWindowMs + histogramEveryMs);
    if (!base) return;
    addSparse(into, this.newestBuckets);
    addSparse(into, base.buckets, -1);
  }

  private take(traffic: Traffic): void {
    const { newest, newestBuckets } = this;
    newest.requests = traffic.requests;
    newest.success = traffic.success;
    newest.failure = traffic.failure;
    newest.inFlight = traffic.inFlight;
    newest.concurrencyLimit = traffic.concurrencyLimit;
    newest.queueDepth = traffic.queueDepth;
    newestBuckets.length = traffic.latencyBuckets.length;
    for (let i = 0; i < newestBuckets.length; i++) newestBuckets[i] = traffic.latencyBuckets[i] ?? 0;
    if (isSame(newest.rejected, traffic.rejected)) return;
    newest.rejected = Object.fromEntries(Object.entries(traffic.rejected).slice(0, reasonsMax));
  }

  private clear(): void {
    this.samples.length = 0;
    this.histograms.length = 0;
  }
}

function isSame(known: Readonly<Record<string, number>>, heard: Readonly<Record<string, number>>): boolean {
  let left = 0;
  for (const reason in known)
    if (heard[reason] === known[reason]) left++;
    else return false;
  for (const _reason in heard) left--;
  return left === 0;
}
