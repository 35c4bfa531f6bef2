/**
 * Decides, for every target, whether the whole fleet stops calling it. Callers publish counts, one leader weighs them,
 * and its verdicts expire: no caller's own opinion is ever re-published as if it were evidence, so an opinion cannot
 * keep itself alive. Pure: reports and time come in, verdicts go out.
 *
 * A standby listens to reports and adopts the verdicts it hears, so that it knows what stands when it must lead.
 */
import { blankVerdict, noEvidence } from '../../proto/fleet-blanks.ts';
import type { Identity, Report, TargetCounts, Verdict } from '../../proto/fleet-messages.ts';
import { parseServiceKey } from '../../proto/subjects.ts';
import { FleetBreaker, type FleetState } from './fleet-breaker.ts';
import { ReplayWindow } from './replay-window.ts';
import { type CallerBudget, demandMs } from './voters.ts';

export interface CoordinatorBounds {
  readonly targetsMax: number;
  readonly callersPerTargetMax: number;
  /** Callers of all targets together. */
  readonly callersMax: number;
  readonly reportersMax: number;
  /** Targets whose fleet breaker a policy switched off. */
  readonly disabledMax: number;
}

export const coordinatorBounds: CoordinatorBounds = {
  targetsMax: 4096,
  callersPerTargetMax: 16_384,
  callersMax: 65_536,
  reportersMax: 65_536,
  disabledMax: 65_536,
};

/** The state of one target, for views. */
export interface FleetBreakerReading {
  readonly target: string;
  readonly state: FleetState['state'];
  readonly generation: number;
  readonly epoch: string;
  readonly sinceMs: number;
  /** Wall clock; null when closed. */
  readonly openedAtWallMs: number | null;
  /** 0 when closed. */
  readonly coolMs: number;
  readonly evidence: Verdict['evidence'];
  readonly callers: number;
}

interface Reporter {
  readonly replay: ReplayWindow;
  heardAtMs: number;
}

/** The epoch under which this control plane leads a target; '' for one that another leads. */
export type EpochOf = (target: string) => string;

interface Entry {
  readonly breaker: FleetBreaker;
  /** The epoch under which it was last announced from here; '' while another leads it. */
  ledBy: string;
  /** The epoch in which its generation was given. */
  epoch: string;
  heardAtMs: number;
  publishAtMs: number;
}

const verdictTtlMs = 3000;
const snapshotMs = 500;
const snapshotClosedMs = 2000;
/** A closed target nobody asks for is forgotten. */
const targetIdleMs = 60_000;

export class BreakerCoordinator {
  private readonly bounds: CoordinatorBounds;
  private readonly entries = new Map<string, Entry>();
  private readonly reporters = new Map<string, Reporter>();
  private readonly disabled = new Set<string>();
  private readonly callerBudget: CallerBudget;
  private readonly epochOf: EpochOf;
  /** Forgotten targets begin again above the generation they had. */
  private generationFloor = 0;
  /** Reports or rows that a full table did not take. */
  unheard = 0;

  constructor(epochOf: EpochOf, bounds: CoordinatorBounds = coordinatorBounds) {
    this.epochOf = epochOf;
    this.bounds = bounds;
    this.callerBudget = { left: bounds.callersMax };
  }

  onReport(report: Report, nowMs: number): void {
    const { identity } = report;
    if (!identity) return;
    const caller = callerKey(identity);
    const reporter = this.reporter(caller, nowMs);
    if (!reporter) return;
    this.renew(caller, reporter, identity.incarnation);
    if (!reporter.replay.accept(identity.incarnation, report.seq)) return;
    reporter.heardAtMs = nowMs;
    for (const row of report.targets) this.hear(caller, report, row, nowMs);
  }

  /** A heartbeat of a new incarnation: what its former self counted no longer stands. */
  onHeartbeat(identity: Identity, nowMs: number): void {
    const caller = callerKey(identity);
    const reporter = this.reporters.get(caller);
    if (!reporter) return;
    this.renew(caller, reporter, identity.incarnation);
    if (reporter.replay.isOf(identity.incarnation)) reporter.heardAtMs = nowMs;
  }

  /** `circuitBreaker.fleet.enabled` of the target's policy. False when the table of switched-off targets is full. */
  setFleetEnabled(target: string, enabled: boolean): boolean {
    if (enabled) this.disabled.delete(target);
    else if (this.disabled.has(target) || this.disabled.size < this.bounds.disabledMax) this.disabled.add(target);
    else return false;
    return true;
  }

  /** To be called every 50 ms: takes the steps that are due for the targets led, and answers what to publish now. */
  tick(nowMs: number, wallMs: number): Verdict[] {
    const verdicts: Verdict[] = [];
    for (const [target, entry] of this.entries) {
      const epoch = this.epochOf(target);
      if (epoch !== entry.ledBy) this.lead(entry, epoch);
      if (epoch !== '') this.step(target, entry, verdicts, nowMs, wallMs);
      if (this.isIdle(entry, nowMs)) this.forget(target, entry);
    }
    return verdicts;
  }

  /** Takes over what another leader announced; false when it is older than what is known here, or its own. */
  adopt(verdict: Verdict, nowMs: number): boolean {
    const state = stateOf(verdict, nowMs);
    if (!state || !parseServiceKey(verdict.target)) return false;
    const known = this.entries.get(verdict.target);
    // What is heard of one's own voice is no news.
    if (verdict.epoch === this.epochOf(verdict.target) || (known && isOlder(verdict, known))) return false;
    const entry = known ?? this.entry(verdict.target, nowMs);
    if (!entry) return false;
    entry.breaker.adopt(state, verdict.generation, verdict.evidence ?? noEvidence, nowMs);
    entry.epoch = verdict.epoch;
    entry.heardAtMs = nowMs;
    return true;
  }

  view(target: string): FleetBreakerReading | undefined {
    const entry = this.entries.get(target);
    return entry && toReading(entry);
  }

  views(): FleetBreakerReading[] {
    return [...this.entries.values()].map(toReading);
  }

  /** Who leads the target has changed. Beginning to, one announces at once what stands. */
  private lead(entry: Entry, epoch: string): void {
    entry.ledBy = epoch;
    if (epoch === '') return;
    entry.epoch = epoch;
    entry.publishAtMs = Number.NEGATIVE_INFINITY;
  }

  private step(target: string, entry: Entry, verdicts: Verdict[], nowMs: number, wallMs: number): void {
    const changed = entry.breaker.tick(!this.disabled.has(target), nowMs, wallMs);
    if (!changed && nowMs < entry.publishAtMs) return;
    const closed = entry.breaker.state.state === 'closed';
    entry.publishAtMs = nowMs + (closed ? snapshotClosedMs : snapshotMs);
    verdicts.push(toVerdict(entry));
  }

  private hear(caller: string, report: Report, row: TargetCounts, nowMs: number): void {
    if (!parseServiceKey(row.target) || row.fail > row.n) return;
    const entry = this.entry(row.target, nowMs);
    if (!entry) return;
    entry.heardAtMs = nowMs;
    const { breaker } = entry;
    // A caller that has not heard this leader yet reports what it really saw: only a closed breaker may use that.
    const sameEpoch = report.epochSeen === entry.epoch;
    const current = sameEpoch ? row.generation === breaker.generation : breaker.state.state === 'closed';
    const counts = { n: row.n, fail: row.fail, intervalMs: report.intervalMs };
    if (!breaker.hear(caller, counts, { demand: row.demand > 0 || row.n > 0, current }, nowMs)) this.unheard++;
  }

  private renew(caller: string, reporter: Reporter, incarnation: string): void {
    if (reporter.replay.isOf(incarnation) || !reporter.replay.meet(incarnation)) return;
    for (const { breaker } of this.entries.values()) breaker.voters.remove(caller);
  }

  private reporter(caller: string, nowMs: number): Reporter | undefined {
    const known = this.reporters.get(caller);
    if (known) return known;
    if (this.reporters.size >= this.bounds.reportersMax) {
      for (const [name, reporter] of this.reporters) {
        if (nowMs - reporter.heardAtMs > demandMs) this.reporters.delete(name);
      }
    }
    if (this.reporters.size >= this.bounds.reportersMax) {
      this.unheard++;
      return undefined;
    }
    const reporter = { replay: new ReplayWindow(), heardAtMs: nowMs };
    this.reporters.set(caller, reporter);
    return reporter;
  }

  private entry(target: string, nowMs: number): Entry | undefined {
    const known = this.entries.get(target);
    if (known) return known;
    if (this.entries.size >= this.bounds.targetsMax) {
      for (const [name, entry] of this.entries) if (this.isIdle(entry, nowMs)) this.forget(name, entry);
    }
    if (this.entries.size >= this.bounds.targetsMax) {
      this.unheard++;
      return undefined;
    }
    const breaker = new FleetBreaker(target, {
      generation: this.generationFloor,
      callersMax: this.bounds.callersPerTargetMax,
      budget: this.callerBudget,
      nowMs,
    });
    const epoch = this.epochOf(target);
    const entry = { breaker, ledBy: epoch, epoch, heardAtMs: nowMs, publishAtMs: Number.NEGATIVE_INFINITY };
    this.entries.set(target, entry);
    return entry;
  }

  private isIdle(entry: Entry, nowMs: number): boolean {
    return entry.breaker.state.state === 'closed' && nowMs - entry.heardAtMs > targetIdleMs;
  }

  private forget(target: string, entry: Entry): void {
    entry.breaker.voters.removeAll();
    this.generationFloor = Math.max(this.generationFloor, entry.breaker.generation);
    this.entries.delete(target);
  }
}

function callerKey(identity: Identity): string {
  return `${identity.namespace}/${identity.service}/${identity.instance}`;
}

function isOlder(verdict: Verdict, than: Entry): boolean {
  if (verdict.epoch !== than.epoch) return verdict.epoch < than.epoch;
  return verdict.generation < than.breaker.generation;
}

function stateOf(verdict: Verdict, nowMs: number): FleetState | undefined {
  const { coolMs, openedAtWallMs } = verdict;
  switch (verdict.state) {
    case 'closed':
      return { state: 'closed' };
    case 'open':
      return { state: 'open', coolMs, openedAtWallMs, halfOpenAtMs: nowMs + coolMs };
    case 'half_open':
      return { state: 'half_open', coolMs, openedAtWallMs, probes: { n: 0, fail: 0, heardAtMs: nowMs } };
    default:
      return undefined;
  }
}

function toVerdict({ breaker, epoch }: Entry): Verdict {
  const { state, target, generation, evidence } = breaker;
  const isClosed = state.state === 'closed';
  return {
    ...blankVerdict,
    target,
    state: state.state,
    generation,
    epoch,
    openedAtWallMs: isClosed ? 0 : state.openedAtWallMs,
    coolMs: isClosed ? 0 : state.coolMs,
    ttlMs: verdictTtlMs,
    allow: isClosed ? 1 : 0,
    evidence,
  };
}

function toReading({ breaker, epoch }: Entry): FleetBreakerReading {
  const { state, target, generation, evidence, sinceMs } = breaker;
  const isClosed = state.state === 'closed';
  return {
    target,
    state: state.state,
    generation,
    epoch,
    sinceMs,
    openedAtWallMs: isClosed ? null : state.openedAtWallMs,
    coolMs: isClosed ? 0 : state.coolMs,
    evidence,
    callers: breaker.voters.count,
  };
}
