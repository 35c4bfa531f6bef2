/**
 * Strict chunks: one bucket for the whole fleet, from which instances get so many requests at a time, good for a second.
 * What was taken from the bucket stays taken, also if nobody ever hears of it or uses it. So it needs to know nothing of
 * who else is there and remember nothing: a leader that begins has an empty bucket, and whatever fails costs utilisation,
 * never the limit. The price is that nothing is admitted without a leader, and what a chunk has left at its end is lost.
 *
 * Bound: instances admit at most rate·(w + 1 s) + the bucket in any time w, since a chunk may be used for a second.
 */
import type { FleetLimit } from '../../proto/policy/fleet-limits.ts';
import { greeting, leaseTtlMs, nothing } from './quota-allocator.ts';
import { type HeardQuota, memberKey, QuotaMember } from './quota-member.ts';
import type { LeaseDraft, QuotaSharing, SharingReading } from './quota-sharing.ts';

/** A chunk is to last until the next one, also if one report or answer is lost. */
const coverMs = 250;
/** A tick that is late loses nothing. */
const bucketMs = 150;

interface Sent {
  readonly seq: number;
  readonly count: number;
}

export class ChunkDispenser implements QuotaSharing {
  limit: FleetLimit;
  overshoot = 0;
  private readonly members = new Map<string, QuotaMember>();
  /** Chunks under way: the holder has not said yet that it has them. */
  private readonly underWay = new Map<QuotaMember, Sent[]>();
  private level = 0;
  private filledAtMs = 0;
  private epoch = '';

  constructor(limit: FleetLimit) {
    this.limit = limit;
  }

  lead(epoch: string, _isFirst: boolean, nowMs: number): void {
    this.epoch = epoch;
    this.level = 0;
    this.filledAtMs = nowMs;
    this.underWay.clear();
    for (const member of this.members.values()) member.lead();
  }

  follow(): void {
    this.epoch = '';
  }

  onReport(heard: HeardQuota, nowMs: number): boolean {
    const { identity, quota } = heard;
    let member = this.members.get(memberKey(identity));
    if (member === undefined) {
      if (quota.leaving || this.members.size >= 2 * this.limit.instancesMax) return false;
      member = new QuotaMember(identity);
      this.members.set(memberKey(identity), member);
    }
    if (!member.hear(heard, nowMs)) return false;
    this.overshoot += quota.overshoot;
    if (quota.leaving) this.drop(memberKey(identity), member);
    else if (quota.heldEpoch === this.epoch && this.epoch !== '') {
      member.isOurs = true;
      const late = this.underWay.get(member)?.filter(({ seq }) => seq > quota.heldSeq);
      this.underWay.set(member, late ?? []);
    }
    return true;
  }

  tick(nowMs: number): LeaseDraft[] {
    this.fill(nowMs);
    const asking: QuotaMember[] = [];
    const strangers: QuotaMember[] = [];
    for (const [name, member] of this.members) {
      if (nowMs - member.heardAtMs >= leaseTtlMs) this.drop(name, member);
      else if (member.unansweredSeq > 0) (member.isOurs ? asking : strangers).push(member);
    }
    const needs = asking.map((member) => this.needOf(member));
    const needed = needs.reduce((sum, need) => sum + need, 0);
    const part = needed > 0 ? Math.min(1, this.level / needed) : 0;
    return [
      ...strangers.map((member) => greeting(member, this.members.size)),
      ...asking.map((member, i) => this.chunkFor(member, needs[i]! * part)),
    ];
  }

  reading(nowMs: number): SharingReading {
    const heard = [...this.members.values()].filter((member) => nowMs - member.heardAtMs < leaseTtlMs);
    const sum = (pick: (member: QuotaMember) => number): number => heard.reduce((all, one) => all + pick(one), 0);
    const admitted = sum((member) => member.admittedRate);
    return {
      rate: this.limit.rate,
      instancesMax: this.limit.instancesMax,
      members: heard.length,
      heard: heard.length,
      demand: sum((member) => member.demand),
      admitted,
      leased: admitted,
      reserved: 0,
      overshoot: this.overshoot,
      isLeading: this.epoch !== '',
      isSettling: false,
    };
  }

  private fill(nowMs: number): void {
    const { rate, burst } = this.limit;
    const most = Math.max(burst, (rate * bucketMs) / 1000);
    this.level = Math.min(most, this.level + (rate * (nowMs - this.filledAtMs)) / 1000);
    this.filledAtMs = nowMs;
  }

  /** Who has nothing and asks for something needs at least one request. */
  private needOf(member: QuotaMember): number {
    const underWay = (this.underWay.get(member) ?? []).reduce((sum, { count }) => sum + count, 0);
    const wanted = (member.demand * coverMs) / 1000;
    return Math.max(0, (wanted > 0 ? Math.max(this.limit.costMax, wanted) : 0) - member.chunkLeft - underWay);
  }

  private chunkFor(member: QuotaMember, share: number): LeaseDraft {
    const seq = member.answer();
    // Whole requests; the bucket keeps the rest.
    const chunk = Math.min(Math.ceil(share), Math.floor(this.level));
    this.level -= chunk;
    if (chunk > 0) this.underWay.set(member, [...(this.underWay.get(member) ?? []), { seq, count: chunk }].slice(-8));
    const lease = { ...nothing, ttlMs: leaseTtlMs, members: this.members.size, chunk };
    return { identity: member.identity, answersSeq: seq, lease };
  }

  private drop(name: string, member: QuotaMember): void {
    this.members.delete(name);
    this.underWay.delete(member);
  }
}
