/**
 * What happened to the requests of one route: a few numbers, so that 64 routes of a policy stay small. Routes have no
 * histograms; the service has one. Threads that share a policy have a row each, and whoever reads sums them.
 */
import { overseer, type Seat } from '../admission/seat.ts';
import { Outcome } from '../resilience/outcome.ts';

const names = ['success', 'failure', 'ignored', 'rejected', 'would_reject', 'fallback'] as const;
export type RouteCountName = (typeof names)[number];
const at = { success: 0, failure: 1, ignored: 2, rejected: 3, wouldReject: 4, fallback: 5 } as const;

export class RouteCounts {
  readonly route: string;
  readonly memory: ArrayBufferLike;
  private readonly all: Float64Array;
  private readonly own: Float64Array;

  static bytesFor(seats: number): number {
    return 8 * names.length * seats;
  }

  constructor(route: string, seat: Seat, memory: ArrayBufferLike = new ArrayBuffer(RouteCounts.bytesFor(seat.count))) {
    this.route = route;
    this.memory = memory;
    this.all = new Float64Array(memory);
    const first = names.length * (seat.index === overseer ? 0 : seat.index);
    this.own = this.all.subarray(first, first + names.length);
  }

  /** It reached an upstream. */
  countEnd(outcome: number): void {
    this.own[outcome === Outcome.success ? at.success : outcome === Outcome.failure ? at.failure : at.ignored]! += 1;
  }

  countRejected(): void {
    this.own[at.rejected]! += 1;
  }

  countWouldReject(): void {
    this.own[at.wouldReject]! += 1;
  }

  countFallback(): void {
    this.own[at.fallback]! += 1;
  }

  /** By outcome, of all threads. */
  totals(): [outcome: RouteCountName, count: number][] {
    return names.map((name, column) => {
      let sum = 0;
      for (let i = column; i < this.all.length; i += names.length) sum += this.all[i]!;
      return [name, sum];
    });
  }
}
