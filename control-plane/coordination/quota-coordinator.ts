/**
 * Every fleet limit of every service: which of them reports are about, who shares them out, and answers to send. Pure:
 * control planes that follow feed it the same reports, so that each could lead at once.
 */
import type { Draft, Grant, Identity, RateLease, Report } from '../../proto/fleet-messages.ts';
import type { FleetLimit } from '../../proto/policy/fleet-limits.ts';
import { serviceKey } from '../../proto/subjects.ts';
import { ChunkDispenser } from './chunk-dispenser.ts';
import { QuotaAllocator } from './quota-allocator.ts';
import { memberKey } from './quota-member.ts';
import type { QuotaSharing, SharingReading } from './quota-sharing.ts';

/** Limits of one service that a policy had and has no more are kept, so that one that comes back is not taken for new. */
const limitsPerTargetMax = 256;

export interface TargetLimits {
  /** Of the bundle. */
  readonly version: number;
  readonly limits: ReadonlyMap<string, FleetLimit>;
}

export interface GrantTo {
  readonly to: Identity;
  readonly grant: Omit<Draft<Grant>, 'v'>;
}

interface Shared {
  readonly sharing: QuotaSharing;
  isInForce: boolean;
  /** Nobody can have shared it before this leader: it appeared just now. */
  isNew: boolean;
  /** Under which this control plane shares it; '' while another one leads. */
  epoch: string;
}

interface Entry {
  version: number;
  readonly limits: Map<string, Shared>;
}

export class QuotaCoordinator {
  private readonly entries = new Map<string, Entry>();
  /** Reports about no limit that is known here, or of nobody who shares it. */
  unheard = 0;

  /** A bundle of the target. `isNews`: it was published just now, and not read at start. */
  setLimits(target: string, { version, limits }: TargetLimits, isNews: boolean): void {
    let entry = this.entries.get(target);
    if (entry === undefined) {
      if (limits.size === 0) return;
      entry = { version, limits: new Map() };
      this.entries.set(target, entry);
    }
    entry.version = version;
    for (const one of entry.limits.values()) one.isInForce = false;
    for (const [key, limit] of limits) setLimit(entry, key, limit, isNews);
    for (const [key, { isInForce }] of entry.limits) {
      if (entry.limits.size > limitsPerTargetMax && !isInForce) entry.limits.delete(key);
    }
  }

  onReport(report: Report, nowMs: number): void {
    const { identity, seq, intervalMs } = report;
    const entry = this.entries.get(serviceKey(identity));
    for (const quota of report.quotas) {
      const known = entry?.limits.get(quota.key);
      if (known?.isInForce) known.sharing.onReport({ identity, seq, intervalMs, quota }, nowMs);
      else this.unheard++;
    }
  }

  /** Every 50 ms. `epochOf`: under which this control plane leads for the target; '' while it does not. */
  tick(epochOf: (target: string) => string, nowMs: number): GrantTo[] {
    const grants: GrantTo[] = [];
    for (const [target, entry] of this.entries) this.tickOne(entry, epochOf(target), nowMs, grants);
    return grants;
  }

  /** One grant for each report, with all the leases that answer it. */
  private tickOne({ limits, version: policyVersion }: Entry, epoch: string, nowMs: number, grants: GrantTo[]): void {
    const byReport = new Map<string, Draft<RateLease>[]>();
    for (const [key, one] of limits) {
      if (one.epoch !== epoch) {
        one.epoch = epoch;
        if (epoch === '') one.sharing.follow();
        else one.sharing.lead(epoch, one.isNew, nowMs);
      }
      one.isNew = false;
      if (epoch === '' || !one.isInForce) continue;
      for (const { identity: to, answersSeq, lease } of one.sharing.tick(nowMs)) {
        lease.key = key;
        lease.policyVersion = policyVersion;
        const name = limits.size > 1 ? `${memberKey(to)} ${answersSeq}` : '';
        const others = name === '' ? undefined : byReport.get(name);
        if (others !== undefined) {
          others.push(lease);
          continue;
        }
        const leases = [lease];
        if (name !== '') byReport.set(name, leases);
        grants.push({ to, grant: { incarnation: to.incarnation, answersSeq, epoch, tokens: [], leases } });
      }
    }
  }

  /** Of the limits in force, by key. */
  readings(target: string, nowMs: number): ReadonlyMap<string, SharingReading> {
    const readings = new Map<string, SharingReading>();
    for (const [key, { sharing, isInForce }] of this.entries.get(target)?.limits ?? []) {
      if (isInForce) readings.set(key, sharing.reading(nowMs));
    }
    return readings;
  }

  targets(): Iterable<string> {
    return this.entries.keys();
  }
}

function setLimit({ limits }: Entry, key: string, limit: FleetLimit, isNew: boolean): void {
  const known = limits.get(key);
  if (known && known.sharing.limit.chunks === limit.chunks) {
    known.sharing.limit = limit;
    known.isInForce = true;
    return;
  }
  const sharing = limit.chunks ? new ChunkDispenser(limit) : new QuotaAllocator(limit);
  limits.set(key, { sharing, isInForce: true, isNew, epoch: '' });
}
