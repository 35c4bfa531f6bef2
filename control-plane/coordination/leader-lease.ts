/**
 * Who leads, decided by compare-and-set on one key. Two rules make it safe whatever the network does: the holder
 * counts its lease from before it *sent* the write that was acknowledged, and stops leading 700 ms later; an observer
 * waits until it has seen the same revision for 1.0 s by its own clock before it writes, and writes only over that
 * revision. No shared clock is needed, only clocks that run at about the same rate. A bucket TTL is not used: its expiry
 * sends no event, and a takeover then took 3 s.
 *
 *   loop: `next(nowMs)` says what to send, or when to ask again; `onResult` takes the answer. One request is in flight
 *   at a time; one that is not answered in 300 ms counts as lost, and the key is read back: a write of our own that did
 *   arrive is adopted.
 *
 * Observers are told of every write by the store (`onSeen`), and read only when they were not. Hearing late, or not at
 * all, delays a takeover and never hastens it: what is written over is the very revision that was seen for so long.
 * One observer at a time is preferred (coordination/shard-owners.ts); the others give it 100 ms.
 */
import { assert } from '../../proto/kernel/assert.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { leaderEpoch } from './leader-epoch.ts';

/** The value under the key. The holder's own clock tells it, when it reads its write back, how old the lease is. */
export interface LeaseRecord {
  readonly holder: string;
  /** New at each start, so that a restarted holder does not take its former self's lease for its own. */
  readonly incarnation: string;
  /** On the holder's monotonic clock. */
  readonly sentAtMs: number;
  /** The revision by which it took over; 0 in the write that does so. */
  readonly takeoverRevision: number;
  /** Given up on purpose: the next may take it at once. */
  readonly released: boolean;
}

export type LeaseAction =
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'read'; readonly id: number }
  /** Write `record` if the key's revision is `expectedRevision`; 0 = the key must not exist. */
  | { readonly kind: 'write'; readonly id: number; readonly expectedRevision: number; readonly record: LeaseRecord };

export type LeaseResult =
  | { readonly kind: 'written'; readonly revision: number; readonly streamCreatedMs: number }
  /** Another revision was there. */
  | { readonly kind: 'conflict' }
  /** `record` is null when the key is absent or not readable as a lease. */
  | {
      readonly kind: 'read';
      readonly revision: number;
      readonly record: LeaseRecord | null;
      readonly streamCreatedMs: number;
    }
  | { readonly kind: 'failed' };

export interface LeaseTimes {
  readonly renewMs: number;
  readonly fenceMs: number;
  readonly takeoverMs: number;
  /** What an observer that is not preferred waits beyond that, and at most by chance on top. */
  readonly yieldMs: number;
  readonly yieldJitterMs: number;
  /** Without news an observer reads so often. */
  readonly observeMs: number;
  /** After a request that failed. */
  readonly retryMs: number;
  readonly answerMs: number;
}

export const leaseTimes: LeaseTimes = {
  renewMs: 300,
  fenceMs: 700,
  takeoverMs: 1000,
  yieldMs: 100,
  yieldJitterMs: 20,
  observeMs: 400,
  retryMs: 100,
  answerMs: 300,
};

interface Request {
  readonly id: number;
  readonly sentAtMs: number;
  readonly record: LeaseRecord | null;
}

type Role =
  /** `revision` -1: nothing was seen yet. */
  | { readonly kind: 'observing'; readonly revision: number; readonly sinceMs: number; readonly released: boolean }
  | {
      readonly kind: 'holding';
      readonly revision: number;
      readonly takeoverRevision: number;
      readonly fenceAtMs: number;
    }
  | { readonly kind: 'released' };

const unseen = -1;

export class LeaderLease {
  private readonly holder: string;
  private readonly incarnation: string;
  private readonly random: Random;
  private readonly times: LeaseTimes;
  private role: Role;
  private request: Request | null = null;
  private lastId = 0;
  private nextAtMs = Number.NEGATIVE_INFINITY;
  private mustRead = true;
  private streamCreatedMs = 0;
  private yieldMs: number;
  /** Of those that could take it over this one should. */
  preferred = false;
  /** Who holds it, as far as was seen; '' when nobody or not known. */
  seenHolder = '';

  constructor(options: { holder: string; incarnation: string; random: Random; times?: LeaseTimes }) {
    this.holder = options.holder;
    this.incarnation = options.incarnation;
    this.random = options.random;
    this.times = options.times ?? leaseTimes;
    assert(this.times.fenceMs < this.times.takeoverMs, 'a holder must be fenced before another may take over');
    this.role = { kind: 'observing', revision: unseen, sinceMs: 0, released: false };
    this.yieldMs = this.times.yieldMs + this.times.yieldJitterMs * this.random.next();
  }

  isLeader(nowMs: number): boolean {
    return this.role.kind === 'holding' && nowMs < this.role.fenceAtMs;
  }

  /** '' while not leading. */
  epoch(nowMs: number): string {
    if (this.role.kind !== 'holding' || !this.isLeader(nowMs)) return '';
    return leaderEpoch(this.streamCreatedMs, this.role.takeoverRevision);
  }

  next(nowMs: number): LeaseAction {
    const takeover = this.takeover(nowMs);
    if (takeover) return takeover;
    if (this.request) {
      const lostAtMs = this.request.sentAtMs + this.times.answerMs;
      if (nowMs < lostAtMs) return { kind: 'wait', untilMs: lostAtMs };
      this.request = null;
      this.mustRead = true;
      this.nextAtMs = nowMs;
    }
    if (this.role.kind === 'released') return { kind: 'wait', untilMs: Number.POSITIVE_INFINITY };
    if (nowMs < this.nextAtMs) return { kind: 'wait', untilMs: this.nextAtMs };
    if (this.mustRead || this.role.kind === 'observing') return this.read(nowMs);
    return this.write(this.role.revision, this.role.takeoverRevision, nowMs);
  }

  onResult(id: number, result: LeaseResult, nowMs: number): void {
    const { request } = this;
    // The answer to a request that was given up: what it would say is read back instead.
    if (!request || request.id !== id) return;
    this.request = null;
    if (this.role.kind === 'released') return;
    switch (result.kind) {
      case 'written':
        assert(request.record !== null, 'only a write is answered by written');
        this.streamCreatedMs = result.streamCreatedMs;
        if (request.record.released) {
          // The next one may have been quicker than this answer.
          if (this.role.revision < result.revision) this.see(result.revision, request.record, nowMs);
          return;
        }
        return this.hold(result.revision, request.record, nowMs);
      case 'read':
        this.streamCreatedMs = result.streamCreatedMs;
        return this.see(result.revision, result.record, nowMs);
      case 'conflict':
        this.mustRead = true;
        this.nextAtMs = nowMs;
        return;
      case 'failed':
        this.mustRead = true;
        this.nextAtMs = nowMs + this.times.retryMs;
        return;
    }
  }

  /** News of a write, by whomever; may be late or missing. */
  onSeen(revision: number, record: LeaseRecord | null, nowMs: number): void {
    const { role } = this;
    // Of our own writes their answers tell, and tell from when they count.
    if (role.kind === 'released' || revision <= role.revision || (record && this.isOwn(record))) return;
    this.see(revision, record, nowMs);
  }

  /** Stops leading now and lets another have it; null while that cannot be said, because a request is in flight. */
  handOver(nowMs: number): LeaseAction | null {
    const { role } = this;
    if (role.kind !== 'holding' || this.request) return null;
    this.role = { kind: 'observing', revision: role.revision, sinceMs: nowMs, released: false };
    const record = { ...this.record(nowMs, role.takeoverRevision), released: true };
    this.request = { id: ++this.lastId, sentAtMs: nowMs, record };
    return { kind: 'write', id: this.lastId, expectedRevision: role.revision, record };
  }

  /** Stops leading for good; the answer, if there is one, is the write that lets the next one take over at once. */
  release(nowMs: number): LeaseAction | null {
    const { role } = this;
    this.role = { kind: 'released' };
    if (role.kind !== 'holding') return null;
    const record = { ...this.record(nowMs, role.takeoverRevision), released: true };
    return { kind: 'write', id: ++this.lastId, expectedRevision: role.revision, record };
  }

  private see(revision: number, record: LeaseRecord | null, nowMs: number): void {
    this.mustRead = false;
    this.seenHolder = record && !record.released ? record.holder : '';
    if (record && !record.released && this.isOwn(record)) return this.hold(revision, record, nowMs);
    this.nextAtMs = nowMs + this.times.observeMs;
    if (this.role.kind === 'observing' && this.role.revision === revision) return;
    this.yieldMs = this.times.yieldMs + this.times.yieldJitterMs * this.random.next();
    this.role = { kind: 'observing', revision, sinceMs: nowMs, released: record?.released === true };
  }

  /** Once it is time, not even for the answer to a read it is waited. */
  private takeover(nowMs: number): LeaseAction | null {
    const { role } = this;
    if (role.kind !== 'observing' || this.mustRead || (this.request && this.request.record !== null)) return null;
    const waitMs = (role.released ? 0 : this.times.takeoverMs) + (this.preferred ? 0 : this.yieldMs);
    return nowMs >= role.sinceMs + waitMs ? this.write(role.revision, 0, nowMs) : null;
  }

  private hold(revision: number, record: LeaseRecord, nowMs: number): void {
    const { renewMs, fenceMs } = this.times;
    this.seenHolder = this.holder;
    this.mustRead = false;
    this.role = {
      kind: 'holding',
      revision,
      // A takeover is the write that could not know its own revision yet.
      takeoverRevision: record.takeoverRevision || revision,
      fenceAtMs: record.sentAtMs + fenceMs,
    };
    this.nextAtMs = Math.max(nowMs, record.sentAtMs + renewMs);
  }

  private read(nowMs: number): LeaseAction {
    this.request = { id: ++this.lastId, sentAtMs: nowMs, record: null };
    return { kind: 'read', id: this.lastId };
  }

  private write(expectedRevision: number, takeoverRevision: number, nowMs: number): LeaseAction {
    const record = this.record(nowMs, takeoverRevision);
    this.request = { id: ++this.lastId, sentAtMs: nowMs, record };
    return { kind: 'write', id: this.lastId, expectedRevision, record };
  }

  private record(nowMs: number, takeoverRevision: number): LeaseRecord {
    const { holder, incarnation } = this;
    return { holder, incarnation, sentAtMs: nowMs, takeoverRevision, released: false };
  }

  private isOwn(record: LeaseRecord): boolean {
    return record.holder === this.holder && record.incarnation === this.incarnation;
  }
}
