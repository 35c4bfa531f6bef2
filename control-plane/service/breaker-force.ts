/**
 * An operator's word about a fleet breaker. Only the target's leader can make it a verdict, and any control plane may be
 * asked: one that does not lead tells the leader, and waits until it hears the verdict.
 */
import { type BreakerForce as ForceRequest, forceMaxMs, forceMinMs } from '../../proto/api-breaker.ts';
import { decodeVerdict, encodeVerdict } from '../../proto/fleet.ts';
import { noEvidence } from '../../proto/fleet-blanks.ts';
import { parseDuration } from '../../proto/kernel/duration.ts';
import { parseServiceKey, streams, subjects } from '../../proto/subjects.ts';
import type { FleetBreakerReading } from '../coordination/breaker-coordinator.ts';
import type { Audit } from './audit.ts';
import type { BreakerService } from './breaker-service.ts';
import type { Bus, BusMessage } from './bus.ts';
import type { Clock } from './clock.ts';
import type { Outcome } from './outcomes.ts';

/** A leader answers within a tick; a new one leads after little more than a second. */
const waitMs = 2_000;
const lookEveryMs = 20;

export interface BreakerForceOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly breakers: BreakerService;
  /** Whether callers have a breaker that would obey. */
  readonly isFleetBreaker: (target: string) => boolean;
  readonly sleep: (ms: number) => Promise<void>;
}

export class BreakerForce {
  private readonly options: BreakerForceOptions;

  constructor(options: BreakerForceOptions) {
    this.options = options;
  }

  /** From another control plane. False when it is none of ours. */
  onMessage({ subject, data }: BusMessage): boolean {
    const wish = decodeVerdict(data);
    const target = wish && parseServiceKey(wish.target);
    if (!wish || !target || subject !== subjects.force(target)) return false;
    this.obey(wish.target, wish.state, wish.expiresInMs, wish.evidence?.text ?? '');
    return true;
  }

  async force(target: string, request: ForceRequest, by: string): Promise<Outcome<{ reading: FleetBreakerReading }>> {
    const forMs = parseDuration(request.expiresIn) ?? 0;
    if (forMs < forceMinMs || forMs > forceMaxMs) {
      const message = `expiresIn is ${request.expiresIn}; it must be from 1s to 24h`;
      return { kind: 'invalid', errors: [{ pointer: '/expiresIn', message }] };
    }
    if (!this.options.isFleetBreaker(target)) {
      const detail = `no caller of ${target} would obey: its policy has no circuit breaker with fleet.enabled`;
      return { kind: 'inapplicable', detail };
    }
    const reason = by === '' ? request.reason : `${by}: ${request.reason}`;
    const outcome = await this.have(target, request.state, forMs, reason, ({ state }) => state === request.state);
    if (outcome.kind === 'ok') this.record('force', target, by, { ...request });
    return outcome;
  }

  /** Ends what was forced. */
  async reset(target: string, by: string): Promise<Outcome<{ reading: FleetBreakerReading }>> {
    const known = this.options.breakers.reading(target);
    if (known?.expiresInMs === null || known === undefined) {
      return { kind: 'inapplicable', detail: `the breaker of ${target} is not forced` };
    }
    const outcome = await this.have(target, 'closed', 0, '', ({ expiresInMs }) => expiresInMs === null);
    if (outcome.kind === 'ok') this.record('reset', target, by, {});
    return outcome;
  }

  private async have(
    target: string,
    state: string,
    forMs: number,
    reason: string,
    isSo: (reading: FleetBreakerReading) => boolean,
  ): Promise<Outcome<{ reading: FleetBreakerReading }>> {
    const { breakers, bus, clock, sleep } = this.options;
    const name = parseServiceKey(target);
    if (!this.obey(target, state, forMs, reason) && name) {
      const evidence = { ...noEvidence, text: reason };
      bus.publish(subjects.force(name), encodeVerdict({ target, state, expiresInMs: forMs, evidence }));
    }
    for (const untilMs = clock.nowMs() + waitMs; ; ) {
      const reading = breakers.reading(target);
      if (reading && isSo(reading) && (reason === '' || reading.evidence?.text === reason)) {
        return { kind: 'ok', reading };
      }
      if (clock.nowMs() >= untilMs) return { kind: 'unavailable', detail: `nobody leads ${target} at the moment` };
      await sleep(lookEveryMs);
    }
  }

  /** True when this control plane leads the target. */
  private obey(target: string, state: string, forMs: number, reason: string): boolean {
    const { breakers } = this.options;
    if (!breakers.leads(target)) return false;
    if (state === 'forced_open' || state === 'forced_closed') breakers.force(target, { state, forMs, reason });
    else breakers.reset(target);
    return true;
  }

  private record(action: string, target: string, by: string, more: Readonly<Record<string, unknown>>): void {
    const name = parseServiceKey(target);
    const at = new Date(this.options.clock.wallMs()).toISOString();
    if (name)
      this.options.audit.record(streams.event('breaker', name), {
        v: 1,
        kind: 'breaker',
        action,
        target,
        by,
        at,
        ...more,
      });
  }
}
