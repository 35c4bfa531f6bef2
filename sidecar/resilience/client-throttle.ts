/**
 * Adaptive throttling at the caller (Site Reliability Engineering, "Handling Overload"): when a target sheds, a share of
 * the requests to it is refused here, since even its refusals cost it something.
 *
 *   P = max(0, (requests − K · accepts) / (requests + 1))   over the last W; at most 90 %
 *
 * Requests count when they want to go, the refused ones too; everything that the target answered without shedding is an
 * accept, failures included: those are the breaker's. Requests under way count in P, which is how a burst is met before its
 * answers are in, but only once the answers alone prove that more is shed than K allows: a slow target is not a shedding
 * one. Below a minimal rate nothing is refused, since a caller of few requests has no evidence and does no harm.
 *
 * Tiers count apart, as in the book: a target that refuses the less important ones first must not have its callers refuse
 * the others. Threads each throttle by what they saw.
 */
import type { Random } from '../../proto/kernel/random.ts';
import { tierNames } from '../../proto/tiers.ts';

export interface ThrottleSettings {
  /** K: at 2 the target sees up to twice what it accepts. */
  readonly acceptsMultiplier: number;
  readonly windowMs: number;
  readonly requestsPerSecondMin: number;
  /** The most that is refused, 0 to 1: something has to go for the target to be seen to recover. */
  readonly refusedShareMax: number;
}

const slots = 20;

export class ClientThrottle {
  readonly settings: ThrottleSettings;
  private readonly tiers: readonly TierThrottle[];

  constructor(settings: ThrottleSettings) {
    this.settings = settings;
    this.tiers = tierNames.map(() => new TierThrottle(settings));
  }

  /** Counts a request and says whether it may go. One that goes owes one record(). */
  tryPass(tier: number, random: Random, nowMs: number): boolean {
    return this.tiers[tier]!.tryPass(random, nowMs);
  }

  /** How one that went ended. One that a third party refused, or nobody saw, is an accept. */
  record(tier: number, wasShed: boolean, nowMs: number): void {
    this.tiers[tier]!.record(wasShed, nowMs);
  }

  /** P as it stands, 0 to 1. */
  refusedShare(tier: number): number {
    return this.tiers[tier]!.refusedShare();
  }
}

class TierThrottle {
  private readonly settings: ThrottleSettings;
  private readonly slotMs: number;
  private readonly requestsMin: number;
  private readonly requests = new Float64Array(slots);
  private readonly accepts = new Float64Array(slots);
  private readonly sheds = new Float64Array(slots);
  private readonly refusals = new Float64Array(slots);
  private requestsSum = 0;
  private acceptsSum = 0;
  private shedsSum = 0;
  private refusalsSum = 0;
  private newest = Number.NEGATIVE_INFINITY;

  constructor(settings: ThrottleSettings) {
    this.settings = settings;
    this.slotMs = settings.windowMs / slots;
    this.requestsMin = (settings.requestsPerSecondMin * settings.windowMs) / 1000;
  }

  tryPass(random: Random, nowMs: number): boolean {
    const slot = this.slotAt(nowMs);
    const share = this.refusedShare();
    this.requests[slot]! += 1;
    this.requestsSum++;
    if (share === 0 || random.next() >= share) return true;
    this.refusals[slot]! += 1;
    this.refusalsSum++;
    return false;
  }

  record(wasShed: boolean, nowMs: number): void {
    const slot = this.slotAt(nowMs);
    if (wasShed) {
      this.sheds[slot]! += 1;
      this.shedsSum++;
    } else {
      this.accepts[slot]! += 1;
      this.acceptsSum++;
    }
  }

  refusedShare(): number {
    if (this.shedsSum === 0 || this.requestsSum < this.requestsMin) return 0;
    const { acceptsMultiplier, refusedShareMax } = this.settings;
    const allowed = acceptsMultiplier * this.acceptsSum;
    const answered = this.acceptsSum + this.shedsSum + this.refusalsSum;
    if (answered <= allowed || this.requestsSum <= allowed) return 0;
    return Math.min(refusedShareMax, (this.requestsSum - allowed) / (this.requestsSum + 1));
  }

  private slotAt(nowMs: number): number {
    const current = Math.floor(nowMs / this.slotMs);
    if (current > this.newest) {
      const first = Math.max(0, this.newest + 1, current - slots + 1);
      for (let number = first; number <= current; number++) this.forget(number % slots);
      this.newest = current;
    }
    return this.newest % slots;
  }

  private forget(slot: number): void {
    this.requestsSum -= this.requests[slot]!;
    this.acceptsSum -= this.accepts[slot]!;
    this.shedsSum -= this.sheds[slot]!;
    this.refusalsSum -= this.refusals[slot]!;
    this.requests[slot] = 0;
    this.accepts[slot] = 0;
    this.sheds[slot] = 0;
    this.refusals[slot] = 0;
  }
}
