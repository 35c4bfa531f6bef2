/**
 * What became of the requests of one side, over one stretch of time. Goodput counts answers within the deadline: an
 * answer nobody waits for any more is work, not service.
 */
import { Histogram } from '../../proto/kernel/histogram.ts';

export type OutcomeKind =
  /** Answered well, within the deadline counted from the intended start. */
  | 'good'
  /** Answered, or given up, after the deadline. */
  | 'late'
  /** Refused by Weir; `reason` says why. */
  | 'refused'
  /** Failed in any other way; `reason` is the gRPC status or Weir's reason. */
  | 'failed';

/** `Place` leads to payments, `Check` to inventory. */
export type ShopFlow = 'Place' | 'Check';

export interface Outcome {
  readonly kind: OutcomeKind;
  readonly reason: string;
  readonly method: ShopFlow;
  /** Which `orders` instance took the request. */
  readonly caller: number;
  /** performance.now() at the intended start and at the end. */
  readonly startMs: number;
  readonly endMs: number;
  /** Refused for a reason that promises grpc-retry-pushback-ms, and it was missing or not a whole number. */
  readonly pushbackMissing: boolean;
}

export class Tally {
  private readonly sinceMs: number;
  sent = 0;
  good = 0;
  /** Good answers that needed payments, the bottleneck: what is compared with its capacity. */
  placed = 0;
  late = 0;
  refused = 0;
  failed = 0;
  pushbackMissing = 0;
  readonly refusedByReason = new Map<string, number>();
  readonly failedByReason = new Map<string, number>();
  /** Of all that was not refused: what a caller waits for. */
  private readonly latency = new Histogram();

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  add(outcome: Outcome): void {
    this[outcome.kind]++;
    if (outcome.kind === 'good' && outcome.method === 'Place') this.placed++;
    if (outcome.pushbackMissing) this.pushbackMissing++;
    if (outcome.kind === 'refused') count(this.refusedByReason, outcome.reason);
    else this.latency.record(outcome.endMs - outcome.startMs);
    if (outcome.kind === 'failed') count(this.failedByReason, outcome.reason);
  }

  get answered(): number {
    return this.good + this.late + this.refused + this.failed;
  }

  goodputPerSecond(nowMs: number): number {
    return (this.good * 1_000) / (nowMs - this.sinceMs);
  }

  perSecond(value: number, nowMs: number): number {
    return (value * 1_000) / (nowMs - this.sinceMs);
  }

  /** NaN when nothing was answered. */
  quantileMs(share: number): number {
    return this.latency.quantileMs(share);
  }
}

function count(into: Map<string, number>, reason: string): void {
  into.set(reason, (into.get(reason) ?? 0) + 1);
}
