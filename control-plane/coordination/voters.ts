/**
 * The callers of one target that have a say: all that wanted something from it in the last ten seconds, whether they
 * spoke lately or not. Bounded per target and, by a budget all targets share, in all: at the bound callers whose
 * demand is over make room, else the newcomer is not heard, which can only keep a breaker closed.
 */
import type { Identity } from '../../proto/fleet-messages.ts';
import { CallerCounts, type IntervalCounts } from './caller-counts.ts';

export const demandMs = 10_000;
/** How fast the known rate of demand follows what is reported. */
const demandTauMs = 1000;

/** What all targets together may still hold. */
export interface CallerBudget {
  left: number;
}

/** Who says it, in which report. */
export interface Speaker {
  readonly identity: Identity;
  readonly seq: number;
}

export class Voter extends CallerCounts {
  readonly key: string;
  /** Of its last report. */
  speaker: Speaker;
  spokeAtMs = 0;
  demandPerSecond = 0;

  constructor(key: string, speaker: Speaker) {
    super();
    this.key = key;
    this.speaker = speaker;
  }

  get zone(): string {
    return this.speaker.identity.zone;
  }

  noteDemand(demand: number, intervalMs: number): void {
    const tookMs = Math.max(1, intervalMs);
    const share = 1 - Math.exp(-tookMs / demandTauMs);
    this.demandPerSecond += share * ((demand * 1000) / tookMs - this.demandPerSecond);
  }
}

export class Voters {
  private readonly callers = new Map<string, Voter>();
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

  get all(): ReadonlyMap<string, Voter> {
    return this.callers;
  }

  /** Those of a zone; of every zone for ''. */
  of(zone: string): ReadonlyMap<string, Voter> {
    if (zone === '') return this.callers;
    return new Map([...this.callers].filter(([, voter]) => voter.zone === zone));
  }

  zones(): Set<string> {
    const zones = new Set<string>();
    for (const voter of this.callers.values()) zones.add(voter.zone);
    return zones;
  }

  /** Takes a caller's counts, `demand` being what it wanted; false when the table is full and it was not heard. */
  hear(caller: string, speaker: Speaker, counts: IntervalCounts, demand: number, nowMs: number): boolean {
    let known = this.callers.get(caller);
    if (!known) {
      if (demand <= 0) return true;
      if (!this.hasRoom(nowMs)) return false;
      known = new Voter(caller, speaker);
      this.callers.set(caller, known);
      this.budget.left--;
    }
    known.speaker = speaker;
    known.spokeAtMs = nowMs;
    known.noteDemand(demand, counts.intervalMs);
    if (demand > 0) known.demandAtMs = nowMs;
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

  /** All counts so far, of callers in that zone, are about another state of the breaker. */
  clearCounts(zone: string): void {
    for (const counts of this.callers.values()) if (zone === '' || counts.zone === zone) counts.clear();
    if (zone === '') this.failedAtMs = Number.NEGATIVE_INFINITY;
  }

  private hasRoom(nowMs: number): boolean {
    if (this.callers.size >= this.callersMax || this.budget.left <= 0) this.expire(nowMs);
    return this.callers.size < this.callersMax && this.budget.left > 0;
  }
}
