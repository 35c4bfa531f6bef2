/**
 * Runs the fleet breaker: every control plane hears every report, so that each could lead at once; the one that does
 * lead ticks the coordinator and publishes its verdicts, and the others adopt what it says.
 */
import type { FleetBreakerView } from '../../proto/api.ts';
import { decodeReport, decodeVerdict, encodeVerdict, type Identity, type Verdict } from '../../proto/fleet.ts';
import { parseServiceKey, subjects } from '../../proto/subjects.ts';
import { BreakerCoordinator } from '../coordination/breaker-coordinator.ts';
import { breakerStateName } from '../fleet/breaker-names.ts';
import type { Bus, BusMessage } from './bus.ts';
import type { Clock } from './clock.ts';
import { speaksForItself } from './speaker.ts';

export interface BreakerServiceOptions {
  readonly bus: Bus;
  readonly clock: Clock;
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
  private readonly coordinator = new BreakerCoordinator();
  private readonly shown = new Map<string, Shown>();
  private epoch = '';

  constructor(options: BreakerServiceOptions) {
    this.options = options;
  }

  /** False when it is no report. */
  onReport({ subject, data }: BusMessage): boolean {
    const report = decodeReport(data);
    if (!report || !speaksForItself(subject, report.identity)) return false;
    for (const { target } of report.targets) {
      this.coordinator.setFleetEnabled(target, this.options.isFleetBreaker(target));
    }
    this.coordinator.onReport(report, this.options.clock.nowMs());
    return true;
  }

  onHeartbeat(identity: Identity): void {
    this.coordinator.onHeartbeat(identity, this.options.clock.nowMs());
  }

  onVerdict(data: Uint8Array): boolean {
    const verdict = decodeVerdict(data);
    if (!verdict) return false;
    // Our own come back to us; a later leader's count at once, and the lease will tell us that we no longer lead.
    if (this.epoch !== '' && verdict.epoch <= this.epoch) return true;
    if (this.coordinator.adopt(verdict, this.options.clock.nowMs())) this.note(verdict);
    return true;
  }

  /** A policy changed. */
  onBundle(target: string): void {
    this.coordinator.setFleetEnabled(target, this.options.isFleetBreaker(target));
  }

  /** Every 50 ms. `epoch` is '' while not leading. */
  tick(epoch: string): void {
    const { clock, bus } = this.options;
    if (epoch !== this.epoch) {
      this.epoch = epoch;
      if (epoch !== '') this.coordinator.lead(epoch);
    }
    if (epoch === '') return;
    for (const verdict of this.coordinator.tick(clock.nowMs(), clock.wallMs())) {
      const target = parseServiceKey(verdict.target);
      if (target) bus.publish(subjects.verdict(target), encodeVerdict(verdict));
      this.note(verdict);
    }
  }

  view(target: string): FleetBreakerView | undefined {
    const reading = this.coordinator.view(target);
    if (!reading) return undefined;
    return {
      target,
      state: breakerStateName(reading.state),
      generation: reading.generation,
      epoch: reading.epoch,
      openedAt: reading.openedAtWallMs ? new Date(reading.openedAtWallMs).toISOString() : null,
      ageMs: Math.max(0, Math.round(this.options.clock.nowMs() - reading.sinceMs)),
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
