/**
 * Carries out what the lease decides (coordination/leader-lease.ts): reads and writes of one key by compare-and-set.
 * One request at a time; the lease itself says when one counts as lost.
 */

import type { Log } from '../../proto/kernel/log-format.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { isRecord } from '../../proto/policy/problems.ts';
import { keys } from '../../proto/subjects.ts';
import { LeaderLease, type LeaseAction, type LeaseRecord, type LeaseResult } from '../coordination/leader-lease.ts';
import { leaseBucket } from './buckets.ts';
import { type Bucket, type Bus, isConflict } from './bus.ts';
import type { Clock } from './clock.ts';
import { readJson } from './policy-records.ts';

export interface LeadershipOptions {
  readonly bus: Bus;
  readonly replicas: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly id: string;
  readonly incarnation: string;
}

/** How long to wait before trying again to have a bucket. */
const bucketRetryMs = 1_000;

export class Leadership {
  private readonly options: LeadershipOptions;
  private readonly lease: LeaderLease;
  private readonly bucket: Bucket;
  private createdMs = 0;
  private openAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LeadershipOptions) {
    this.options = options;
    this.lease = new LeaderLease({ holder: options.id, incarnation: options.incarnation, random: options.random });
    this.bucket = options.bus.bucket(leaseBucket(options.replicas).name);
  }

  isLeader(): boolean {
    return this.lease.isLeader(this.options.clock.nowMs());
  }

  epoch(): string {
    return this.lease.epoch(this.options.clock.nowMs());
  }

  /** Every few tens of ms: begins what is due; the answer is taken when it comes. */
  tick(): void {
    const { clock, bus } = this.options;
    const nowMs = clock.nowMs();
    if (!bus.isConnected()) return;
    if (this.createdMs === 0) {
      if (nowMs >= this.openAtMs) void this.openBucket(nowMs);
      return;
    }
    const action = this.lease.next(nowMs);
    if (action.kind === 'wait') return;
    void this.perform(action).then((result) => {
      // The bucket may be gone: look before the next write.
      if (result.kind === 'failed') this.createdMs = 0;
      this.lease.onResult(action.id, result, clock.nowMs());
    });
  }

  /** Lets the next one lead at once. */
  async release(): Promise<void> {
    const action = this.lease.release(this.options.clock.nowMs());
    if (action && action.kind !== 'wait' && this.options.bus.isConnected()) await this.perform(action);
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

  private async perform(action: Exclude<LeaseAction, { kind: 'wait' }>): Promise<LeaseResult> {
    try {
      if (action.kind === 'read') return await this.read();
      const value = JSON.stringify(action.record);
      const revision =
        action.expectedRevision === 0
          ? await this.bucket.create(keys.lease, value)
          : await this.bucket.update(keys.lease, value, action.expectedRevision);
      return { kind: 'written', revision, streamCreatedMs: this.createdMs };
    } catch (error) {
      return isConflict(error) ? { kind: 'conflict' } : { kind: 'failed' };
    }
  }

  private async read(): Promise<LeaseResult> {
    const [state, entry] = await Promise.all([this.bucket.state(), this.bucket.get(keys.lease)]);
    if (!state) return { kind: 'failed' };
    this.createdMs = state.createdMs;
    const record = entry ? readLease(entry.value) : null;
    return { kind: 'read', revision: entry?.revision ?? 0, record, streamCreatedMs: state.createdMs };
  }
}

function readLease(value: Uint8Array): LeaseRecord | null {
  const lease = readJson(value);
  if (!isRecord(lease)) return null;
  const { holder, incarnation, sentAtMs, takeoverRevision, released } = lease;
  if (typeof holder !== 'string' || typeof incarnation !== 'string') return null;
  if (typeof sentAtMs !== 'number' || typeof takeoverRevision !== 'number' || typeof released !== 'boolean')
    return null;
  return { holder, incarnation, sentAtMs, takeoverRevision, released };
}
