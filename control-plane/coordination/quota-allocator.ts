/**
 * Shares one rate limit among the instances of a service, so that what they may admit together is never more than the
 * limit, whoever of them, and whichever control plane, falls silent. It knows for each instance the most that it may hold
 * (quota-holdings.ts), and keeps
 *
 *   Σ most of those it knows + the newcomer's part of those that may run without its knowledge ≤ rate
 *
 *   decreases   at once; they count when the holder has said that it holds the lower one, or its time is up
 *   increases   only from what that sum leaves free
 *   silent      keep their lease to its end, then their safe rate for `safeForMs`
 *   gone        said goodbye, or were silent for 2 s when a new process of their name spoke, or until nothing is left
 *   newcomers   the newcomer's part, which is theirs without asking; more once the others have repeated that there is one
 *               more of them, so that the next leader will know of it
 *
 * A new leader first makes itself known to each instance, which from then on takes nothing of the one before, and says what
 * it holds. That is given back, and no more, for as long as a lease of the one before can last. After that the new leader
 * keeps the safe rate of everybody who was told of and has not been heard.
 *
 * The model in which it holds: messages may be lost, doubled, reordered, or late by up to 2 s; instances and leaders may stop, restart
 * and be cut off from each other at any time; clocks run equally fast within 1 %; at most `instancesMax` instances run at
 * once, each under a name of its own; a leader ends before the next begins; and a new leader that has not listened for
 * `safeForMs` hears at least one of those that the one before heard in its last second.
 */
import type { QuotaReport } from '../../proto/fleet-messages.ts';
import { burstOfShare, type FleetLimit } from '../../proto/policy/fleet-limits.ts';
import type { SentGrant } from './quota-holdings.ts';
import type { HeardQuota, QuotaMember } from './quota-member.ts';
import { lateMaxMs, QuotaRoster } from './quota-roster.ts';
import type { LeaseDraft, QuotaSharing, SharingReading } from './quota-sharing.ts';
import { waterFilling } from './water-filling.ts';

export const leaseTtlMs = 1000;
/** Clocks may differ by so much in how fast they run, and a little for what is under way in the process. */
const driftShare = 0.01;
const marginMs = 20;
export const leaseOverMs = leaseTtlMs * (1 + driftShare) + marginMs;
/** Beyond what was asked for last. */
const headroom = 1.05;
const wantFloorShare = 0.02;
/** Held back for those whose demand rises, while there is enough for all. */
const lendShare = 0.1;
/** Who has so little too much keeps it: what is taken from one is at the other only after 100 ms. */
const stillShare = 0.05;

export class QuotaAllocator implements QuotaSharing {
  limit: FleetLimit;
  overshoot = 0;
  private readonly roster = new QuotaRoster();
  private epoch = '';
  private settledAtMs = 0;

  constructor(limit: FleetLimit) {
    this.limit = limit;
  }

  lead(epoch: string, isFirst: boolean, nowMs: number): void {
    this.epoch = epoch;
    this.settledAtMs = isFirst ? nowMs : nowMs + leaseOverMs;
    this.roster.lead(isFirst, this.settledAtMs + this.safeOverMs(), nowMs);
    if (isFirst) return;
    // The leader before may have heard them until now, and answered.
    for (const member of this.roster.all()) member.holdings.assume(this.heldOfAnother(member.rate, nowMs));
  }

  /** Another one leads, or nobody. */
  follow(): void {
    this.epoch = '';
  }

  onReport(heard: HeardQuota, nowMs: number): boolean {
    const { identity, quota } = heard;
    // Who says goodbye was known, or never held anything.
    const known = this.roster.get(identity);
    const member = known ?? (quota.leaving ? undefined : this.roster.add(identity, this.limit.instancesMax));
    if (!member?.hear(heard, nowMs)) return false;
    this.roster.dropReplaced(member, nowMs);
    this.overshoot += quota.overshoot;
    if (quota.leaving) this.roster.leave(member);
    else if (this.epoch !== '' && quota.heldEpoch === this.epoch) this.learn(member, quota, nowMs);
    else this.learnOfAnother(member, quota, nowMs);
    return true;
  }

  /** Every 50 ms while leading: an answer to every report that came since. */
  tick(nowMs: number): LeaseDraft[] {
    const members: QuotaMember[] = [];
    const strangers: QuotaMember[] = [];
    let others = 0;
    let mostOfMembers = 0;
    for (const member of this.roster.all()) {
      const isSilent = !isHeard(member, nowMs);
      if (isSilent && (member.hasLeft || member.holdings.isEmpty(nowMs))) {
        this.roster.drop(member);
        continue;
      }
      member.most = this.mostOf(member, nowMs);
      if (!isSilent && member.isOurs) {
        members.push(member);
        mostOfMembers += member.most;
        continue;
      }
      if (!member.hasLeft) others += member.most;
      if (!isSilent) strangers.push(member);
    }
    // What all others may admit is not there for those whom this leader knows.
    const capacity = this.limit.rate - others - this.unheardOf(nowMs);
    this.establish(members, strangers, nowMs);
    const isSettling = nowMs < this.settledAtMs;
    const targets = isSettling ? members.map(({ rate }) => rate) : this.targets(members, capacity);
    return [...this.greet(strangers, nowMs), ...this.grant(members, targets, capacity - mostOfMembers, nowMs)];
  }

  reading(nowMs: number): SharingReading {
    const reading = { heard: 0, demand: 0, admitted: 0, leased: 0, reserved: this.unheardOf(nowMs) };
    for (const member of this.roster.all()) {
      if (isHeard(member, nowMs)) {
        reading.heard++;
        reading.demand += member.demand;
        reading.admitted += member.admittedRate;
        reading.leased += this.mostOf(member, nowMs);
      } else if (!member.hasLeft) reading.reserved += this.mostOf(member, nowMs);
    }
    return {
      ...reading,
      rate: this.limit.rate,
      instancesMax: this.limit.instancesMax,
      members: this.roster.announced(nowMs),
      overshoot: this.overshoot,
      isLeading: this.epoch !== '',
      isSettling: nowMs < this.settledAtMs,
    };
  }

  /** Of a report after the instance knew this leader: what it holds is this, or what was sent since. */
  private learn(member: QuotaMember, quota: QuotaReport, nowMs: number): void {
    member.echo = quota.members;
    if (member.isOurs) {
      member.holdings.confirm(quota.heldSeq);
      return;
    }
    member.isOurs = true;
    const { heldSeq: seq, ratePerSecond, safeRatePerSecond: safeRate } = quota;
    member.holdings.is({ ...this.heldOfAnother(ratePerSecond, nowMs), safeRate, seq });
  }

  /** It may have had another answer of the leader before since it said this. */
  private learnOfAnother(member: QuotaMember, quota: QuotaReport, nowMs: number): void {
    member.hasHeld = quota.heldEpoch !== '';
    if (this.epoch === '') member.echo = quota.members;
    else if (member.hasHeld) this.roster.noteFormer(member, quota.members);
    const mayHold = member.hasHeld || this.epoch === '' || nowMs < this.settledAtMs + lateMaxMs;
    const held = this.heldOfAnother(member.hasHeld ? quota.ratePerSecond : 0, nowMs);
    member.holdings.assume(mayHold ? held : { ...held, safeRate: 0 });
  }

  private heldOfAnother(rate: number, nowMs: number): Omit<SentGrant, 'seq'> {
    const leaseEndsMs = nowMs + leaseOverMs;
    return { rate, safeRate: this.limit.safeRateMax, leaseEndsMs, safeEndsMs: leaseEndsMs + this.safeOverMs() };
  }

  /**
   * Newcomers get more than their part once everybody who is heard has repeated how many there are, so that the next leader
   * hears of it from whomever it hears.
   */
  private establish(members: readonly QuotaMember[], strangers: readonly QuotaMember[], nowMs: number): void {
    const announced = this.roster.announced(nowMs);
    const hasNotRepeated = ({ isEstablished, echo }: QuotaMember): boolean => isEstablished && echo < announced;
    if (members.some(hasNotRepeated) || strangers.some(hasNotRepeated)) return;
    for (const member of members) member.isEstablished = true;
    for (const member of strangers) member.isEstablished = true;
  }

  /** What each of them should have. */
  private targets(members: readonly QuotaMember[], capacity: number): number[] {
    const { rate, newcomerRate } = this.limit;
    const extra = (wantFloorShare * rate) / Math.max(1, members.length);
    const wants = members.map((member) => (member.isEstablished ? headroom * member.demand + extra : newcomerRate));
    const shares = waterFilling(wants, newcomerRate, capacity);
    // What nobody asked for is given out, too, but for what is held back for those whose demand rises.
    const left = capacity - lendShare * rate - shares.reduce((sum, share) => sum + share, 0);
    if (left <= 0) return shares;
    const established = members.reduce((count, { isEstablished }) => count + (isEstablished ? 1 : 0), 0);
    return shares.map((share, i) => (members[i]!.isEstablished ? share + left / established : share));
  }

  /** `spare`: what nobody may hold; below 0 where somebody came back. */
  private grant(
    members: readonly QuotaMember[],
    targets: readonly number[],
    spare: number,
    nowMs: number,
  ): LeaseDraft[] {
    let wanted = 0;
    const asking: { member: QuotaMember; target: number }[] = [];
    for (const [i, member] of members.entries()) {
      if (member.unansweredSeq === 0) continue;
      const { most } = member;
      const isNear = most > targets[i]! && most - targets[i]! <= stillShare * most;
      const target = isNear ? most : targets[i]!;
      asking.push({ member, target });
      wanted += Math.max(0, target - most);
    }
    // Somebody came back who may hold more than was kept for it: until its word is here, nobody gets more than it has.
    const isOver = spare < 0 || nowMs < this.settledAtMs;
    const part = wanted > 0 && !isOver ? Math.min(1, spare / wanted) : 0;
    const announced = this.roster.announced(nowMs);
    return asking.map(({ member, target }) => {
      const { most } = member;
      const share = target > most ? most + (target - most) * part : target;
      return this.leaseFor(member, isOver ? Math.min(share, member.rate) : share, announced);
    });
  }

  private leaseFor(member: QuotaMember, rate: number, members: number): LeaseDraft {
    const { limit } = this;
    const safeRate = Math.min(rate, limit.safeRateMax);
    const seq = member.answer();
    const leaseEndsMs = member.heardAtMs + leaseOverMs;
    member.holdings.add({ seq, rate, safeRate, leaseEndsMs, safeEndsMs: leaseEndsMs + this.safeOverMs() });
    const lease = {
      key: '',
      ratePerSecond: rate,
      burst: burstOfShare(limit, rate),
      ttlMs: leaseTtlMs,
      safeRatePerSecond: safeRate,
      policyVersion: 0,
      safeForMs: limit.safeForMs,
      members,
      chunk: 0,
    };
    return { identity: member.identity, answersSeq: seq, lease };
  }

  private greet(strangers: readonly QuotaMember[], nowMs: number): LeaseDraft[] {
    const members = this.roster.announced(nowMs);
    return strangers.filter(({ unansweredSeq }) => unansweredSeq > 0).map((member) => greeting(member, members));
  }

  /** The most that it may admit, its newcomer's part included. */
  private mostOf(member: QuotaMember, nowMs: number): number {
    return Math.max(this.limit.newcomerRate, member.holdings.most(nowMs));
  }

  /** Kept for those whom this leader has never heard: newcomers, and those that the one before knew. */
  private unheardOf(nowMs: number): number {
    const { instancesMax, newcomerRate, safeRateMax } = this.limit;
    const unknown = this.roster.unknown(nowMs);
    const vacant = Math.max(0, instancesMax - this.roster.count - unknown);
    return unknown * Math.max(safeRateMax, newcomerRate) + vacant * newcomerRate;
  }

  private safeOverMs(): number {
    return this.limit.safeRateMax > 0 ? this.limit.safeForMs * (1 + driftShare) : 0;
  }
}

/** A lease of no time: the instance keeps what it has, and from now on takes grants of this leader only. */
export function greeting(member: QuotaMember, members: number): LeaseDraft {
  return { identity: member.identity, answersSeq: member.answer(), lease: { ...nothing, members } };
}

/** What does not last. */
export const nothing: LeaseDraft['lease'] = {
  key: '',
  ratePerSecond: 0,
  burst: 0,
  ttlMs: 0,
  safeRatePerSecond: 0,
  policyVersion: 0,
  safeForMs: 0,
  members: 0,
  chunk: 0,
};

function isHeard(member: QuotaMember, nowMs: number): boolean {
  return !member.hasLeft && nowMs - member.heardAtMs < leaseTtlMs;
}
