/**
 * All leases of one control plane: for each group of shards one, taken when it is free, given to its proper owner when
 * that one lives, given up at the end. Pure: what is heard and the time come in, requests to the store come out.
 *
 * A share is handed over only after nobody has come or gone for a while, so that a control plane that restarts again and
 * again, or is heard badly, does not make its groups change hands each time; and one group at a time.
 */
import type { Random } from '../../proto/kernel/random.ts';
import { LeaderLease, type LeaseAction, type LeaseRecord, type LeaseResult } from './leader-lease.ts';
import { Members } from './members.ts';
import { leaseGroupCount, shardOwners } from './shard-owners.ts';

/** Long enough for a newcomer to have heard from every caller what it needs to lead. */
export const steadyMs = 3_000;
const handOverEveryMs = 100;

export type LeaseRequest = Exclude<LeaseAction, { kind: 'wait' }> & { readonly group: number };

export class ShardLeases {
  readonly members: Members;
  private readonly self: string;
  private readonly leases: readonly LeaderLease[];
  private owners: readonly string[];
  private ownersAtMs = Number.NEGATIVE_INFINITY;
  private handOverAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly id: string; readonly incarnation: string; readonly random: Random }) {
    const { id, incarnation, random } = options;
    this.self = memberName(id, incarnation);
    this.members = new Members(this.self);
    this.owners = shardOwners(this.members.all());
    this.leases = Array.from({ length: leaseGroupCount }, () => new LeaderLease({ holder: id, incarnation, random }));
  }

  leads(group: number, nowMs: number): boolean {
    return this.leases[group]?.isLeader(nowMs) ?? false;
  }

  /** '' while not leading. */
  epoch(group: number, nowMs: number): string {
    return this.leases[group]?.epoch(nowMs) ?? '';
  }

  /** By group, whoever was last seen to lead it; '' when nobody. */
  holders(): string[] {
    return this.leases.map(({ seenHolder }) => seenHolder);
  }

  /** What is due now, at most one request of each group. */
  next(nowMs: number): LeaseRequest[] {
    this.members.expire(nowMs);
    if (this.ownersAtMs !== this.members.changedAtMs) {
      this.ownersAtMs = this.members.changedAtMs;
      this.owners = shardOwners(this.members.all());
    }
    const requests: LeaseRequest[] = [];
    for (const [group, lease] of this.leases.entries()) {
      lease.preferred = this.owners[group] === this.self;
      const action = this.handOver(lease, nowMs) ?? lease.next(nowMs);
      if (action.kind !== 'wait') requests.push({ ...action, group });
    }
    return requests;
  }

  onResult(group: number, id: number, result: LeaseResult, nowMs: number): void {
    this.leases[group]?.onResult(id, result, nowMs);
  }

  /** The store tells of a write. */
  onSeen(group: number, revision: number, record: LeaseRecord | null, nowMs: number): void {
    this.leases[group]?.onSeen(revision, record, nowMs);
  }

  /** Ends leading for good: the others take over at once when these requests arrive. */
  release(nowMs: number): LeaseRequest[] {
    const requests: LeaseRequest[] = [];
    for (const [group, lease] of this.leases.entries()) {
      const action = lease.release(nowMs);
      if (action && action.kind !== 'wait') requests.push({ ...action, group });
    }
    return requests;
  }

  private handOver(lease: LeaderLease, nowMs: number): LeaseAction | null {
    if (lease.preferred || !lease.isLeader(nowMs)) return null;
    if (nowMs - this.members.changedAtMs < steadyMs || nowMs < this.handOverAtMs) return null;
    const action = lease.handOver(nowMs);
    if (action) this.handOverAtMs = nowMs + handOverEveryMs;
    return action;
  }
}

/** A process of a control plane: two by the same id are two. */
export function memberName(id: string, incarnation: string): string {
  return `${id} ${incarnation}`;
}
