/**
 * Runs the fleet breaker: every control plane hears every report, so that each could lead at once. For the targets that
 * it leads it publishes the coordinator's verdicts, and of the others it adopts what their leaders say.
 */
import type { FleetBreakerView } from '../../proto/api.ts';
import {
  decodeReport,
  decodeSlotResult,
  decodeVerdict,
  encodeGrant,
  encodeVerdict,
  type Identity,
  type Report,
  type Verdict,
} from '../../proto/fleet.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { parseServiceKey, subjects } from '../../proto/subjects.ts';
import { BreakerCoordinator, type FleetBreakerReading, type ForceWish } from '../coordination/breaker-coordinator.ts';
import { breakerStateName } from '../fleet/breaker-names.ts';
import type { Bus, BusMessage } from './bus.ts';
import type { Clock } from './clock.ts';
import type { TargetLeadership } from './leadership.ts';
import { speaksForItself } from './speaker.ts';

export interface BreakerServiceOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly leadership: TargetLeadership;
  /** Whether the target's policy has a breaker that callers open together. */
  readonly isFleetBreaker: (target: string) => boolean;
  readonly onTransition: (target: string, text: string) => void;
}

interface Shown {
  readonly state: string;
  readonly generation: number;
}

export class BreakerService {
  private readonly options: BreakerServiceOptions;
  private readonly coordinator: BreakerCoordinator;
  private readonly shown = new Map<string, Shown>();

  constructor(options: BreakerServiceOptions) {
    this.options = options;
    const { random, leadership } = options;
    this.coordinator = new BreakerCoordinator({ random, epochOf: (target) => leadership.epochOf(target) });
  }

  /** The report; undefined when it is none. */
  onReport({ subject, data }: BusMessage): Report | undefined {
    const report = decodeReport(data);
    if (!report || !speaksForItself(subject, report.identity)) return undefined;
    for (const { target } of report.targets) {
      this.coordinator.setFleetEnabled(target, this.options.isFleetBreaker(target));
    }
    this.coordinator.onReport(report, this.options.clock.nowMs());
    return report;
  }

  onHeartbeat(identity: Identity): void {
    this.coordinator.onHeartbeat(identity, this.options.clock.nowMs());
  }

  onVerdict(data: Uint8Array): boolean {
    const verdict = decodeVerdict(data);
    if (!verdict) return false;
    // Our own come back to us; a later leader's count at once, and the lease will tell us that we no longer lead.
    const epoch = this.options.leadership.epochOf(verdict.target);
    if (epoch !== '' && verdict.epoch <= epoch) return true;
    if (this.coordinator.adopt(verdict, this.options.clock.nowMs())) this.note(verdict);
    return true;
  }

  /** A policy changed. */
  onBundle(target: string): void {
    this.coordinator.setFleetEnabled(target, this.options.isFleetBreaker(target));
  }

  /** Every 50 ms. */
  tick(): void {
    const { clock, bus } = this.options;
    const { verdicts, grants } = this.coordinator.tick(clock.nowMs(), clock.wallMs());
    for (const verdict of verdicts) {
      const target = parseServiceKey(verdict.target);
      if (target) bus.publish(subjects.verdict(target), encodeVerdict(verdict));
      this.note(verdict);
    }
    for (const { to, answersSeq, epoch, tokens } of grants) {
      const bytes = encodeGrant({ incarnation: to.incarnation, answersSeq, epoch, tokens });
      bus.publish(subjects.grant(to, to.instance), bytes);
    }
  }

  /** How a probe in a time slot went. */
  onSlotResult({ subject, data }: BusMessage): boolean {
    const result = decodeSlotResult(data);
    const target = result && parseServiceKey(result.target);
    if (!result || !target) return false;
    if (subject !== subjects.slot(target, result.identity, result.identity.instance)) return false;
    this.coordinator.onSlotResult(result, this.options.clock.nowMs());
    return true;
  }

  leads(target: string): boolean {
    return this.options.leadership.leads(target);
  }

  /** The leader's to do; false when there are too many targets. */
  force(target: string, wish: ForceWish): boolean {
    const { clock } = this.options;
    return this.coordinator.force(target, wish, clock.nowMs(), clock.wallMs());
  }

  reset(target: string): boolean {
    const { clock } = this.options;
    return this.coordinator.reset(target, clock.nowMs(), clock.wallMs());
  }

  reading(target: string): FleetBreakerReading | undefined {
    return this.coordinator.view(target, this.options.clock.nowMs());
  }

  readings(): FleetBreakerReading[] {
    return this.coordinator.views(this.options.clock.nowMs());
  }

  ageMs({ sinceMs }: FleetBreakerReading): number {
    return Math.max(0, Math.round(this.options.clock.nowMs() - sinceMs));
  }

  view(target: string): FleetBreakerView | undefined {
    const reading = this.reading(target);
    if (!reading) return undefined;
    return {
      target,
      state: breakerStateName(reading.state),
      generation: reading.generation,
      epoch: reading.epoch,
      openedAt: reading.openedAtWallMs ? new Date(reading.openedAtWallMs).toISOString() : null,
      ageMs: this.ageMs(reading),
      coolMs: reading.coolMs,
      evidence: reading.evidence?.text ?? '',
      voters: reading.evidence?.voters ?? 0,
      failingVoters: reading.evidence?.failingVoters ?? 0,
      n: reading.evidence?.n ?? 0,
      fail: reading.evidence?.fail ?? 0,
    };
  }

  private note({ target, state, generation, evidence }: Verdict): void {
    const before = this.shown.get(target);
    if (before?.state === state && before.generation === generation) return;
    this.shown.set(target, { state, generation });
    // The first word about a closed breaker is no transition.
    if (!before && state === 'closed') return;
    const why = evidence?.text ? `: ${evidence.text}` : '';
    this.options.onTransition(target, `${before?.state ?? 'closed'} → ${state}${why}`);
    if (this.shown.size > shownMax) this.shown.delete(this.shown.keys().next().value ?? target);
  }
}

const shownMax = 10_000;
