/**
 * The callers of one target that have a say: all that wanted something from it in the last ten seconds, whether they
 * spoke lately or not. Bounded per target and, by a budget all targets share, in all: at the bound callers whose
 * demand is over make room, else the newcomer is not heard, which can only keep a breaker closed.
 */
import { CallerCounts, type IntervalCounts } from './caller-counts.ts';

export const demandMs = 10_000;

/** What all targets together may still hold. */
export interface CallerBudget {
  left: number;
}

export class Voters {
  private readonly callers = new Map<string, CallerCounts>();
  private readonly callersMax: number;
  private readonly budget: CallerBudget;
  private failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(callersMax: number, budget: CallerBudget) {
    this.callersMax = callersMax;
    this.budget = budget;
  }

  get count(): number {
    return this.callers.size;
  }

  get all(): ReadonlyMap<string, CallerCounts> {
    return this.callers;
  }

  /** Takes a caller's counts; false when the table is full and it was not heard. */
  hear(caller: string, counts: IntervalCounts, demand: boolean, nowMs: number): boolean {
    let known = this.callers.get(caller);
    if (!known) {
      if (!demand) return true;
      if (!this.hasRoom(nowMs)) return false;
      known = new CallerCounts();
      this.callers.set(caller, known);
      this.budget.left--;
    }
    if (demand) known.demandAtMs = nowMs;
    known.add(counts, nowMs);
    if (counts.fail > 0) this.failedAtMs = nowMs;
    return true;
  }

  /** Whether anybody reported a failure at all: without one there is nothing to weigh. */
  failedWithin(ms: number, nowMs: number): boolean {
    return nowMs - this.failedAtMs <= ms;
  }

  /** Forgets callers without demand. */
  expire(nowMs: number): void {
    for (const [caller, counts] of this.callers) {
      if (nowMs - counts.demandAtMs > demandMs) this.remove(caller);
    }
  }

  remove(caller: string): void {
    if (this.callers.delete(caller)) this.budget.left++;
  }

  removeAll(): void {
    this.budget.left += this.callers.size;
    this.callers.clear();
  }

  /** All counts so far are about another state of the breaker. */
  clearCounts(): void {
    for (const counts of this.callers.values()) counts.clear();
    this.failedAtMs = Number.NEGATIVE_INFINITY;
  }

  private hasRoom(nowMs: number): boolean {
    if (this.callers.size >= this.callersMax || this.budget.left <= 0) this.expire(nowMs);
    return this.callers.size < this.callersMax && this.budget.left > 0;
  }
}
