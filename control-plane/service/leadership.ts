/**
 * Carries out what the leases decide (coordination/shard-leases.ts): reads and writes of their keys by compare-and-set,
 * each lease with one request at a time; the store's news of other control planes' writes; and the word that we live.
 *
 * Whoever acts for a target asks `leads` at every action, or takes its epoch from `epochOf`: a lease may end at any time.
 */

import type { Log } from '../../proto/kernel/log-format.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { isRecord } from '../../proto/policy/problems.ts';
import { keys, republish, subjects } from '../../proto/subjects.ts';
import type { LeaseRecord, LeaseResult } from '../coordination/leader-lease.ts';
import { presenceEveryMs } from '../coordination/members.ts';
import { type LeaseRequest, memberName, ShardLeases } from '../coordination/shard-leases.ts';
import { groupOf, leaseGroupCount } from '../coordination/shard-owners.ts';
import { leaseBucket } from './buckets.ts';
import { type Bucket, type Bus, type BusMessage, isConflict } from './bus.ts';
import type { Clock } from './clock.ts';
import { readJson } from './policy-records.ts';

/** What the use cases know of leading. Targets are `<ns>/<svc>`. */
export interface TargetLeadership {
  /** Whether this control plane may act for the target now. */
  leads(target: string): boolean;
  /** Under which epoch it acts; '' while it does not lead. Later leaders have higher ones, as text. */
  epochOf(target: string): string;
}

export interface LeadershipOptions {
  readonly bus: Bus;
  readonly replicas: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly id: string;
  readonly incarnation: string;
  /** What it leads is not what it led before. */
  readonly onChange: (groups: readonly number[]) => void;
}

/** How long to wait before trying again to have a bucket. */
const bucketRetryMs = 1_000;

export class Leadership implements TargetLeadership {
  private readonly options: LeadershipOptions;
  private readonly leases: ShardLeases;
  private readonly bucket: Bucket;
  private readonly asking = new Set<Promise<void>>();
  private led = '';
  private presentAtMs = Number.NEGATIVE_INFINITY;
  private createdMs = 0;
  private openAtMs = Number.NEGATIVE_INFINITY;
  private ending = false;

  constructor(options: LeadershipOptions) {
    this.options = options;
    this.leases = new ShardLeases(options);
    this.bucket = options.bus.bucket(leaseBucket(options.replicas).name);
    options.bus.subscribe(subjects.presenceAll, (message) => this.onPresence(message));
    options.bus.subscribe(republish.lease, (message) => this.onLease(message));
  }

  leads(target: string): boolean {
    return this.leases.leads(groupOf(target), this.options.clock.nowMs());
  }

  epochOf(target: string): string {
    return this.leases.epoch(groupOf(target), this.options.clock.nowMs());
  }

  groups(): number[] {
    const nowMs = this.options.clock.nowMs();
    return allGroups.filter((group) => this.leases.leads(group, nowMs));
  }

  /** The highest of its epochs, for people; '' while it leads nothing. */
  epoch(): string {
    const nowMs = this.options.clock.nowMs();
    return (
      allGroups
        .map((group) => this.leases.epoch(group, nowMs))
        .sort()
        .at(-1) ?? ''
    );
  }

  /** By group, whoever was last seen to lead it; '' when nobody. */
  holders(): string[] {
    return this.leases.holders();
  }

  /** How many control planes live, this one included. */
  members(): number {
    return this.leases.members.all().length;
  }

  /** Every few tens of ms: begins what is due; answers are taken when they come. */
  tick(): void {
    const { clock, bus } = this.options;
    const nowMs = clock.nowMs();
    this.tellChange();
    if (this.ending || !bus.isConnected()) return;
    if (nowMs - this.presentAtMs >= presenceEveryMs) {
      this.presentAtMs = nowMs;
      this.sayPresence(false);
    }
    if (this.createdMs === 0) {
      if (nowMs >= this.openAtMs) void this.openBucket(nowMs);
      return;
    }
    for (const request of this.leases.next(nowMs)) this.begin(request);
    this.tellChange();
  }

  /** Lets the others lead at once. */
  async release(): Promise<void> {
    const { bus, clock } = this.options;
    this.ending = true;
    // What is being written decides over which revision the lease is given up.
    await Promise.all(this.asking);
    const requests = this.leases.release(clock.nowMs());
    if (!bus.isConnected()) return;
    this.sayPresence(true);
    await Promise.all(requests.map((request) => this.perform(request)));
  }

  private begin(request: LeaseRequest): void {
    const asked = this.perform(request).then((result) => {
      this.leases.onResult(request.group, request.id, result, this.options.clock.nowMs());
      this.asking.delete(asked);
      this.tellChange();
    });
    this.asking.add(asked);
  }

  private tellChange(): void {
    const groups = this.groups();
    const led = groups.join(' ');
    if (led === this.led) return;
    this.led = led;
    this.options.onChange(groups);
  }

  private sayPresence(leaving: boolean): void {
    const { bus, id, incarnation } = this.options;
    bus.publish(subjects.presence(id), JSON.stringify({ v: 1, id, incarnation, leaving }));
  }

  private onPresence({ data }: BusMessage): void {
    const presence = readJson(data);
    if (!isRecord(presence)) return;
    const { id, incarnation, leaving } = presence;
    if (typeof id !== 'string' || typeof incarnation !== 'string') return;
    const member = memberName(id, incarnation);
    const nowMs = this.options.clock.nowMs();
    if (leaving === true) this.leases.members.leave(member, nowMs);
    else this.leases.members.hear(member, nowMs);
  }

  private onLease({ subject, data, sequence }: BusMessage): void {
    const group = allGroups.find((each) => subject === leaseSubject(keys.lease(each)));
    if (group === undefined || sequence === 0) return;
    this.leases.onSeen(group, sequence, readLease(data), this.options.clock.nowMs());
    // A lease that was given up is taken at once, not at the next tick.
    this.tick();
  }

  private async openBucket(nowMs: number): Promise<void> {
    const { bus, replicas, log } = this.options;
    this.openAtMs = nowMs + bucketRetryMs;
    try {
      this.createdMs = (await bus.ensureBucket(leaseBucket(replicas))).createdMs;
    } catch (error) {
      log.debug('the lease bucket cannot be opened', { error });
    }
  }

  private async perform(request: LeaseRequest): Promise<LeaseResult> {
    const key = keys.lease(request.group);
    try {
      if (request.kind === 'read') return await this.read(key);
      const { expectedRevision, record } = request;
      const value = JSON.stringify(record);
      const revision =
        expectedRevision === 0
          ? await this.bucket.create(key, value)
          : await this.bucket.update(key, value, expectedRevision);
      // The epoch of a takeover must name the bucket that took it, not one that we knew before.
      const state = record.takeoverRevision === 0 ? await this.bucket.state() : undefined;
      if (state) this.createdMs = state.createdMs;
      return { kind: 'written', revision, streamCreatedMs: this.createdMs };
    } catch (error) {
      return isConflict(error) ? { kind: 'conflict' } : { kind: 'failed' };
    }
  }

  private async read(key: string): Promise<LeaseResult> {
    const [state, entry] = await Promise.all([this.bucket.state(), this.bucket.get(key)]);
    // Zero: it is gone, and has to be made before anything else.
    this.createdMs = state?.createdMs ?? 0;
    if (!state) return { kind: 'failed' };
    const record = entry ? readLease(entry.value) : null;
    return { kind: 'read', revision: entry?.revision ?? 0, record, streamCreatedMs: state.createdMs };
  }
}

const allGroups = Array.from({ length: leaseGroupCount }, (_, group) => group);

const leaseSubject = (key: string): string => republish.lease.replace('>', key);

function readLease(value: Uint8Array): LeaseRecord | null {
  const lease = readJson(value);
  if (!isRecord(lease)) return null;
  const { holder, incarnation, sentAtMs, takeoverRevision, released } = lease;
  if (typeof holder !== 'string' || typeof incarnation !== 'string') return null;
  if (typeof sentAtMs !== 'number' || typeof takeoverRevision !== 'number' || typeof released !== 'boolean')
    return null;
  return { holder, incarnation, sentAtMs, takeoverRevision, released };
}
