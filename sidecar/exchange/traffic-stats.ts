/**
 * What happened to the requests of one direction and peer: counters that the request path increments and that metrics,
 * heartbeats and the admin door read. Everything but the requests in flight counts from the start of the process and only
 * rises. All of it is one row of numbers, so that it may stand in memory which another thread reads, and the rows of
 * several threads are summed by adding them. Each row has one writer, which therefore needs no lock.
 */
import { Histogram, histogramNumbers } from '../../proto/kernel/histogram.ts';
import { reasonCount } from '../../proto/reasons.ts';
import { hedgeResultNames, retryResultNames } from '../resilience/retry-results.ts';
import { dropNumbers } from './message-drops.ts';
import { parkResultNames } from './parker.ts';

/** What answers in the place of a service; see fallback.ts. */
export const fallbackKinds = ['service', 'stale', 'static'] as const;

const requests = 0;
const success = 1;
const failure = 2;
const ignored = 3;
const inFlight = 4;
const rejectedAt = 5;
const wouldRejectAt = rejectedAt + reasonCount;
const fallbacksAt = wouldRejectAt + reasonCount;
const wouldFallBackAt = fallbacksAt + fallbackKinds.length;
const durationsAt = wouldFallBackAt + fallbackKinds.length;
const retriesAt = durationsAt + histogramNumbers;
const hedgesAt = retriesAt + retryResultNames.length;
const retryBudget = hedgesAt + hedgeResultNames.length;
const messagesDroppedAt = retryBudget + 1;
const messagesWouldDropAt = messagesDroppedAt + dropNumbers;
const parkingAt = messagesWouldDropAt + dropNumbers;
const numbers = parkingAt + parkResultNames.length;

export class TrafficStats {
  static readonly bytes = 8 * numbers;

  readonly direction: 'inbound' | 'outbound';
  /** Own service for inbound, the target for outbound: `ns/svc`. */
  readonly peer: string;
  /** By reason code; the answer was ours. */
  readonly rejected: Float64Array;
  /** By reason code: in shadow mode it would have been ours. */
  readonly wouldReject: Float64Array;
  /** By kind, in the order of `fallbackKinds`. */
  readonly fallbacks: Float64Array;
  /** In shadow mode it would have answered. */
  readonly wouldFallBack: Float64Array;
  /** Requests that reached an upstream, from arrival to the end of the response. */
  readonly durations: Histogram;
  /** By RetryResult, and by HedgeResult. */
  readonly retries: Float64Array;
  readonly hedges: Float64Array;
  /** gRPC messages dropped for slow readers, by content and DropCause (message-drops.ts); and those of shadow. */
  readonly messagesDropped: Float64Array;
  readonly messagesWouldDrop: Float64Array;
  /** By ParkResult. */
  readonly parking: Float64Array;
  private readonly row: Float64Array;

  /** `memory` zeroed, or with the counts so far. */
  constructor(
    direction: 'inbound' | 'outbound',
    peer: string,
    memory: ArrayBufferLike = new ArrayBuffer(TrafficStats.bytes),
  ) {
    this.direction = direction;
    this.peer = peer;
    this.row = new Float64Array(memory, 0, numbers);
    this.rejected = this.row.subarray(rejectedAt, wouldRejectAt);
    this.wouldReject = this.row.subarray(wouldRejectAt, fallbacksAt);
    this.fallbacks = this.row.subarray(fallbacksAt, wouldFallBackAt);
    this.wouldFallBack = this.row.subarray(wouldFallBackAt, durationsAt);
    this.durations = new Histogram(this.row.subarray(durationsAt, retriesAt));
    this.retries = this.row.subarray(retriesAt, hedgesAt);
    this.hedges = this.row.subarray(hedgesAt, retryBudget);
    this.messagesDropped = this.row.subarray(messagesDroppedAt, messagesWouldDropAt);
    this.messagesWouldDrop = this.row.subarray(messagesWouldDropAt, parkingAt);
    this.parking = this.row.subarray(parkingAt, numbers);
  }

  get requests(): number {
    return this.row[requests]!;
  }

  get success(): number {
    return this.row[success]!;
  }

  get failure(): number {
    return this.row[failure]!;
  }

  /** Ended without a verdict on the upstream: cancelled, or it said "overloaded". */
  get ignored(): number {
    return this.row[ignored]!;
  }

  get inFlight(): number {
    return this.row[inFlight]!;
  }

  /** Retries that could go at once, when the last request came. */
  get retryBudgetLeft(): number {
    return this.row[retryBudget]!;
  }

  set retryBudgetLeft(retries: number) {
    this.row[retryBudget] = retries;
  }

  begin(): void {
    this.row[requests]! += 1;
    this.row[inFlight]! += 1;
  }

  end(): void {
    this.row[inFlight]! -= 1;
  }

  countSuccess(): void {
    this.row[success]! += 1;
  }

  countFailure(): void {
    this.row[failure]! += 1;
  }

  countIgnored(): void {
    this.row[ignored]! += 1;
  }

  /** Becomes the sum of these rows. */
  sum(rows: Iterable<ArrayBufferLike>): void {
    this.row.fill(0);
    for (const memory of rows) {
      const other = new Float64Array(memory, 0, numbers);
      for (let i = 0; i < numbers; i++) this.row[i]! += other[i]!;
    }
  }

  /** The thread that counted in this row is dead, and its requests with it. */
  static forgetInFlight(memory: ArrayBufferLike): void {
    const row = new Float64Array(memory, 0, numbers);
    row[inFlight] = 0;
    row[retryBudget] = 0;
  }
}
