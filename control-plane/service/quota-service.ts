/**
 * Runs the limits that fleets share: every control plane hears every report, so that each could lead at once; the one that
 * leads a service answers its instances' reports with leases.
 */
import type { QuotaView } from '../../proto/api.ts';
import { encodeGrant, type Report } from '../../proto/fleet.ts';
import type { Bundle } from '../../proto/policy/bundle.ts';
import { type FleetLimit, fleetLimitsOf } from '../../proto/policy/fleet-limits.ts';
import { subjects } from '../../proto/subjects.ts';
import { QuotaCoordinator } from '../coordination/quota-coordinator.ts';
import type { SharingReading } from '../coordination/quota-sharing.ts';
import type { Bus } from './bus.ts';
import type { Clock } from './clock.ts';
import type { TargetLeadership } from './leadership.ts';

export interface QuotaServiceOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly leadership: TargetLeadership;
}

export class QuotaService {
  private readonly options: QuotaServiceOptions;
  private readonly coordinator = new QuotaCoordinator();

  constructor(options: QuotaServiceOptions) {
    this.options = options;
  }

  /** `isNews`: published just now, and not read at start. */
  onBundle(bundle: Bundle, isNews: boolean): void {
    this.coordinator.setLimits(bundle.target, { version: bundle.version, limits: limitsOf(bundle) }, isNews);
  }

  onReport(report: Report): void {
    if (report.quotas.length > 0) this.coordinator.onReport(report, this.options.clock.nowMs());
  }

  /** Every 50 ms. */
  tick(): void {
    const { bus, clock, leadership } = this.options;
    for (const { to, grant } of this.coordinator.tick((target) => leadership.epochOf(target), clock.nowMs())) {
      bus.publish(subjects.grant(to, to.instance), encodeGrant(grant));
    }
  }

  /** Of every service. */
  *all(): Iterable<{ readonly target: string; readonly view: QuotaView }> {
    for (const target of this.coordinator.targets()) for (const view of this.views(target)) yield { target, view };
  }

  views(target: string): QuotaView[] {
    const nowMs = this.options.clock.nowMs();
    return Array.from(this.coordinator.readings(target, nowMs), ([limit, reading]) => ({
      limit,
      ratePerSecond: reading.rate,
      instances: reading.members,
      heard: reading.heard,
      demandPerSecond: rounded(reading.demand),
      admittedPerSecond: rounded(reading.admitted),
      utilisation: rounded(reading.admitted / reading.rate),
      leasedPerSecond: rounded(reading.leased),
      reservedPerSecond: rounded(reading.reserved),
      overshoot: rounded(reading.overshoot),
      leading: reading.isLeading,
      settling: reading.isSettling,
      explanation: explain(reading),
    }));
  }
}

/** While a rollout is on, instances obey either: the lower rate holds for all. */
function limitsOf({ stable, candidate, percent }: Bundle): ReadonlyMap<string, FleetLimit> {
  const limits = fleetLimitsOf(stable);
  if (percent === 0) return limits;
  for (const [key, limit] of fleetLimitsOf(candidate)) {
    const known = limits.get(key);
    if (known === undefined || limit.rate < known.rate) limits.set(key, limit);
  }
  return limits;
}

function explain(reading: SharingReading): string {
  const { members, heard, rate, instancesMax, demand, reserved, isLeading, isSettling } = reading;
  if (!isLeading) return `another control plane shares it out; ${heard} instances are heard`;
  if (heard === 0) return 'no instance is heard: each admits what withoutControlPlane says';
  const kept = `${rounded(reserved)}/s are kept for instances that are silent or not known`;
  if (isSettling) return `a new leader gives back what ${heard} instances hold, for a second; ${kept}`;
  const silent = members > heard ? `, ${members - heard} more are silent` : '';
  const share = demand > rate - reserved ? 'share the limit by their demand' : 'get what they ask for';
  const more = members > instancesMax ? `; more than instancesMax ${instancesMax}: newcomers may break the limit` : '';
  return `${heard} instances ${share}${silent}; ${kept}${more}`;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
