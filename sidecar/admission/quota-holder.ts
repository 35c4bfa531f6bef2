/**
 * One instance's side of a fleet limit: says in reports what it wants and holds, and takes what a leader grants. A grant
 * counts from before the report was sent that it answers, on this clock, so neither a late message nor a process that stood
 * still makes it last longer than the leader thinks, and no two clocks need to agree.
 *
 * Grants are those of one leader, in the order of the reports that they answer: one that was overtaken by a later one is
 * dead. That is what lets the leader give away what a holder has given up, once the holder has said that it holds the
 * later one. A leader with a later epoch makes itself known by a lease of no time before it grants anything.
 */
import type { Draft, QuotaReport, RateLease } from '../../proto/fleet-messages.ts';
import { burstOfShare } from '../../proto/policy/fleet-limits.ts';
import type { FleetRateLimiter } from './fleet-rate-limiter.ts';

/** However long a leader says. */
const ttlMaxMs = 10_000;
const safeForMaxMs = 24 * 3_600_000;

/** Less than this, of what each would have of an equal share, can wait for the next report. */
const wordShare = 0.1;
/** In less time nothing can be said about demand; by more than so many times what chance makes of it, it has changed. */
const surgeMs = 40;
const surgeSpread = 3;

export interface Answer {
  readonly epoch: string;
  /** The number of the report that is answered. */
  readonly seq: number;
  /** When that report was made, before it was sent. */
  readonly sentAtMs: number;
}

export class QuotaHolder {
  readonly key: string;
  private limiter: FleetRateLimiter;
  private epoch = '';
  private seq = 0;
  private members = 0;
  private told = { demand: 0, admitted: 0, overshoot: 0, atMs: 0 };
  /** Cost per ms, as the last report said. */
  private toldRate = 0;
  private isLeaving = false;
  /** It has just given up much, or met a new leader: somebody waits for its word. */
  private owesWord = false;

  constructor(key: string, limiter: FleetRateLimiter) {
    this.key = key;
    this.limiter = limiter;
    this.tellFrom(limiter);
  }

  /** A policy brought another limiter in place of this one. */
  replace(limiter: FleetRateLimiter): void {
    if (limiter === this.limiter) return;
    const isSameRow = limiter.memory === this.limiter.memory;
    this.limiter = limiter;
    if (isSameRow) return;
    // It holds nothing of what was granted before.
    this.tellFrom(limiter);
    this.epoch = '';
    this.seq = 0;
    this.members = 0;
  }

  /** Something was asked for since the last report. */
  hasDemand(nowMs: number): boolean {
    return this.limiter.reading(nowMs).demand > this.told.demand;
  }

  /** A report is due at once: somebody waits for it, or the demand is not what the last one said. */
  isUrgent(nowMs: number): boolean {
    if (this.owesWord) return true;
    const sinceMs = nowMs - this.told.atMs;
    if (sinceMs < surgeMs) return false;
    const { rate, instancesMax } = this.limiter.limit;
    const asked = this.limiter.reading(nowMs).demand - this.told.demand;
    const expected = this.toldRate * sinceMs;
    const strayed = Math.abs(asked - expected);
    const worthIt = (wordShare * rate * sinceMs) / (1000 * instancesMax);
    return strayed > Math.max(worthIt, surgeSpread * Math.sqrt(asked + expected));
  }

  report(policyVersion: number, nowMs: number): Draft<QuotaReport> {
    const { rate, safeRate, level, demand, admitted, overshoot } = this.limiter.reading(nowMs);
    const { told } = this;
    this.toldRate = (demand - told.demand) / Math.max(1, nowMs - told.atMs);
    this.told = { demand, admitted, overshoot, atMs: nowMs };
    this.owesWord = false;
    return {
      key: this.key,
      demand: demand - told.demand,
      admitted: admitted - told.admitted,
      overshoot: overshoot - told.overshoot,
      heldEpoch: this.epoch,
      heldSeq: this.seq,
      ratePerSecond: rate,
      safeRatePerSecond: safeRate,
      members: this.members,
      leaving: this.isLeaving,
      policyVersion,
      chunkLeft: this.limiter.limit.chunks ? level : 0,
    };
  }

  /** False when it is out of date. `policyVersion`: in force here. */
  take(lease: RateLease, answer: Answer, policyVersion: number, nowMs: number): boolean {
    if (this.isLeaving || lease.policyVersion < policyVersion) return false;
    if (lease.ttlMs === 0) return this.meet(answer.epoch, lease.members);
    if (answer.epoch !== this.epoch || answer.seq <= this.seq) return false;
    const endsMs = answer.sentAtMs + Math.min(lease.ttlMs, ttlMaxMs);
    const granted = {
      rate: atLeastZero(lease.ratePerSecond),
      burst: atLeastZero(lease.burst),
      safeRate: atLeastZero(lease.safeRatePerSecond),
      safeBurst: burstOfShare(this.limiter.limit, atLeastZero(lease.safeRatePerSecond)),
      safeForMs: Math.min(lease.safeForMs, safeForMaxMs),
      chunk: atLeastZero(lease.chunk),
    };
    const { rate } = this.limiter.reading(nowMs);
    if (!this.limiter.grant(granted, endsMs, nowMs)) return false;
    const { limit } = this.limiter;
    this.owesWord = rate - granted.rate > (wordShare * limit.rate) / limit.instancesMax;
    this.seq = answer.seq;
    this.members = lease.members;
    return true;
  }

  /** A new leader makes itself known: what is held stays, nothing of the one before is taken, and the new one hears of it. */
  private meet(epoch: string, members: number): boolean {
    if (epoch <= this.epoch) return false;
    this.epoch = epoch;
    this.seq = 0;
    this.members = members;
    this.owesWord = true;
    return true;
  }

  /** Admits nothing more; the next report says so. */
  leave(): void {
    this.isLeaving = true;
    this.limiter.end();
  }

  private tellFrom(limiter: FleetRateLimiter): void {
    const { demand, admitted, overshoot } = limiter.reading(0);
    this.told = { demand, admitted, overshoot, atMs: this.told.atMs };
  }
}

/** What is no number is nothing. */
function atLeastZero(value: number): number {
  return value > 0 && Number.isFinite(value) ? value : 0;
}
