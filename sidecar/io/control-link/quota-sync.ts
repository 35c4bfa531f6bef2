/**
 * The shares of the limits that the fleet shares: says ten times a second what is wanted and held while anything is asked
 * for, at once when that changes or much was given up, else now and then, so that leases stand; and takes what the leader grants. Without NATS, or a leader, what was
 * granted runs out by itself (admission/lease-share.ts).
 */
import type { Grant } from '../../../proto/fleet-messages.ts';
import { jitter } from '../../../proto/kernel/random.ts';
import { serviceKey, shardOf, subjects } from '../../../proto/subjects.ts';
import type { FleetRateLimiter } from '../../admission/fleet-rate-limiter.ts';
import { QuotaHolder } from '../../admission/quota-holder.ts';
import type { Bus } from './bus.ts';
import type { FleetCodec } from './codec.ts';
import type { Mesh } from './mesh.ts';
import type { ReportNumbers } from './report-numbers.ts';

const tickMs = 100;
const jitterShare = 0.2;
/** A lease stands for a second, so two of these may be lost. */
const calmMs = 350;
/** Reports that may still be answered: those of more than a second. */
const unansweredMax = 32;

export class QuotaSync {
  private readonly mesh: Mesh;
  private readonly bus: Bus;
  private readonly codec: FleetCodec;
  private readonly numbers: ReportNumbers;
  private readonly holders = new Map<string, QuotaHolder>();
  private readonly sentAtMs = new Map<number, number>();
  private timer: NodeJS.Timeout | undefined;
  private reportedAtMs: number;
  private closed = false;

  constructor(mesh: Mesh, bus: Bus, codec: FleetCodec, numbers: ReportNumbers) {
    this.mesh = mesh;
    this.bus = bus;
    this.codec = codec;
    this.numbers = numbers;
    this.reportedAtMs = mesh.nowMs();
    const { identity } = mesh;
    bus.subscribe(subjects.grant(identity, identity.instance), ({ bytes }) => this.hear(bytes));
    this.onPolicy();
  }

  /** The own policy may have changed, or the leader may be heard again: it hears of us at once. */
  onPolicy(): void {
    this.follow(this.mesh.fleetLimits());
    if (this.holders.size > 0) this.report(this.mesh.nowMs());
    this.arm();
  }

  /** The last word: nothing more is admitted here. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    if (this.holders.size === 0) return;
    for (const holder of this.holders.values()) holder.leave();
    this.report(this.mesh.nowMs());
  }

  private follow(limits: Iterable<{ readonly key: string; readonly limiter: FleetRateLimiter }>): void {
    const gone = new Set(this.holders.keys());
    for (const { key, limiter } of limits) {
      gone.delete(key);
      const holder = this.holders.get(key);
      if (holder === undefined) this.holders.set(key, new QuotaHolder(key, limiter));
      else holder.replace(limiter);
    }
    for (const key of gone) this.holders.delete(key);
  }

  private arm(): void {
    if (this.closed || this.timer !== undefined || this.holders.size === 0) return;
    this.timer = setTimeout(() => this.fire(), jitter(tickMs, jitterShare, this.mesh.random));
  }

  private fire(): void {
    this.timer = undefined;
    const nowMs = this.mesh.nowMs();
    if (this.hasDemand(nowMs) || nowMs - this.reportedAtMs >= calmMs) this.report(nowMs);
    this.arm();
  }

  private hasDemand(nowMs: number): boolean {
    for (const holder of this.holders.values()) if (holder.hasDemand(nowMs)) return true;
    return false;
  }

  private report(nowMs: number): void {
    // What is counted meanwhile is told in the first report after.
    if (!this.bus.connected) return;
    const { identity } = this.mesh;
    const seq = this.numbers.next();
    const version = this.mesh.policyVersion();
    const intervalMs = Math.round(nowMs - this.reportedAtMs);
    this.reportedAtMs = nowMs;
    this.sentAtMs.set(seq, nowMs);
    for (const older of this.sentAtMs.keys()) {
      if (this.sentAtMs.size <= unansweredMax) break;
      this.sentAtMs.delete(older);
    }
    const quotas = Array.from(this.holders.values(), (holder) => holder.report(version, nowMs));
    const bytes = this.codec.encodeReport({ identity, seq, intervalMs, targets: [], quotas });
    this.bus.publish(subjects.report(shardOf(serviceKey(identity)), identity, identity.instance), bytes);
  }

  private hear(bytes: Uint8Array): void {
    const grant = this.codec.decodeGrant(bytes);
    if (grant === undefined || grant.incarnation !== this.mesh.identity.incarnation) return;
    this.take(grant);
  }

  private take({ epoch, answersSeq: seq, leases }: Grant): void {
    const sentAtMs = this.sentAtMs.get(seq);
    if (sentAtMs === undefined) return;
    const version = this.mesh.policyVersion();
    const nowMs = this.mesh.nowMs();
    let isUrgent = false;
    for (const lease of leases) {
      const holder = this.holders.get(lease.key);
      if (holder?.take(lease, { epoch, seq, sentAtMs }, version, nowMs) === true) isUrgent ||= holder.isUrgent(nowMs);
    }
    if (isUrgent) this.report(nowMs);
  }
}
