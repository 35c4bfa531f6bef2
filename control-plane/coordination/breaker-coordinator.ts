/**
 * Decides, for every target, whether the whole fleet stops calling it. Callers publish counts, one leader weighs them,
 * and its verdicts run out: no caller's own opinion is ever re-published as if it were evidence, so an opinion cannot
 * keep itself alive. Pure: reports and time come in, verdicts and probe tokens go out.
 *
 * A standby listens to reports and adopts the verdicts it hears, so that it knows what stands when it must lead.
 */
import { noEvidence } from '../../proto/fleet-blanks.ts';
import type { Identity, Report, SlotResult, TargetCounts, Verdict } from '../../proto/fleet-messages.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { parseServiceKey } from '../../proto/subjects.ts';
import { type FleetBreakerReading, grantsOf, readingOf, type TokenGrant, verdictOf } from './breaker-messages.ts';
import type { FleetBreaker } from './fleet-breaker.ts';
import { openingIn, stateOfVerdict } from './fleet-state.ts';
import { FleetTarget } from './fleet-target.ts';
import { ReplayWindow } from './replay-window.ts';
import { StandingClaims } from './standing-claims.ts';
import { type CallerBudget, demandMs } from './voters.ts';

export type { FleetBreakerReading, TokenGrant } from './breaker-messages.ts';

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

/** An operator's word. */
export interface ForceWish {
  readonly state: 'forced_open' | 'forced_closed';
  readonly forMs: number;
  readonly reason: string;
}

/** What is to be sent now. */
export interface Decisions {
  readonly verdicts: readonly Verdict[];
  readonly grants: readonly TokenGrant[];
}

interface Reporter {
  readonly replay: ReplayWindow;
  heardAtMs: number;
}

/** The epoch under which this control plane leads a target; '' for one that another leads. */
export type EpochOf = (target: string) => string;

interface Entry {
  readonly target: FleetTarget;
  /** The epoch under which it was last announced from here; '' while another leads it. */
  ledBy: string;
  /** The epoch in which its generation was given. */
  epoch: string;
  heardAtMs: number;
  /** By zone. */
  readonly publishAtMs: Map<string, number>;
  /** While nothing was ever heard or decided about it. */
  claims: StandingClaims | null;
}

export interface CoordinatorOptions {
  readonly random: Random;
  readonly epochOf: EpochOf;
  readonly bounds?: CoordinatorBounds;
}

const snapshotMs = 500;
const snapshotClosedMs = 2000;
/** A target nobody asks for is forgotten, also one that was open. */
const targetIdleMs = 60_000;

export class BreakerCoordinator {
  private readonly random: Random;
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

  constructor({ random, epochOf, bounds = coordinatorBounds }: CoordinatorOptions) {
    this.random = random;
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

  /** How a probe in a time slot went, so that a leader that comes after goes on from there. */
  onSlotResult({ target, membersHash, slot, ok }: SlotResult, nowMs: number): void {
    this.entries.get(target)?.target.hearSlot(membersHash, slot, ok, nowMs);
  }

  /** `circuitBreaker.fleet.enabled` of the target's policy. False when the table of switched-off targets is full. */
  setFleetEnabled(target: string, enabled: boolean): boolean {
    if (enabled) this.disabled.delete(target);
    else if (this.disabled.has(target) || this.disabled.size < this.bounds.disabledMax) this.disabled.add(target);
    else return false;
    return true;
  }

  /** An operator's word; the leader's to take. False when there are too many targets. */
  force(key: string, { state, forMs, reason }: ForceWish, nowMs: number, wallMs: number): boolean {
    const entry = this.entry(key, nowMs);
    if (!entry) return false;
    decided(entry);
    entry.target.force(state, forMs, reason, entry.target.scene(nowMs, wallMs));
    return true;
  }

  /** Ends what an operator forced; false when nothing is. */
  reset(key: string, nowMs: number, wallMs: number): boolean {
    const entry = this.entries.get(key);
    if (!entry?.target.whole.release(entry.target.scene(nowMs, wallMs))) return false;
    decided(entry);
    return true;
  }

  /** To be called every 50 ms: takes the steps that are due for the targets led, and answers what to send now. */
  tick(nowMs: number, wallMs: number): Decisions {
    const verdicts: Verdict[] = [];
    const grants: TokenGrant[] = [];
    for (const [key, entry] of this.entries) {
      const epoch = this.epochOf(key);
      if (epoch !== entry.ledBy) lead(entry, epoch, nowMs, wallMs);
      if (epoch !== '' && !isListening(entry, nowMs, wallMs))
        this.step(key, entry, { verdicts, grants }, nowMs, wallMs);
      if (isIdle(entry, nowMs)) this.forget(key, entry);
    }
    return { verdicts, grants };
  }

  /** Takes over what another leader announced; false when it is older than what is known here, or its own. */
  adopt(verdict: Verdict, nowMs: number): boolean {
    // What is heard of one's own voice is no news.
    if (!parseServiceKey(verdict.target) || verdict.epoch === this.epochOf(verdict.target)) return false;
    const known = this.entries.get(verdict.target);
    if (known && verdict.epoch < known.epoch) return false;
    const entry = known ?? this.entry(verdict.target, nowMs);
    const breaker = entry?.target.zoneBreaker(verdict.zone, nowMs);
    if (!entry || !breaker) return false;
    if (verdict.epoch === entry.epoch && verdict.generation < breaker.generation) return false;
    const state = stateOfVerdict(verdict, openingIn(breaker.state), nowMs);
    if (!state) return false;
    const before = openingIn(breaker.state)?.membersHash;
    breaker.adopt(state, verdict.generation, verdict.evidence ?? noEvidence, nowMs);
    if (openingIn(breaker.state)?.membersHash !== before) entry.target.slots.clear();
    entry.target.endpoints.adopt(verdict.ejected, nowMs);
    entry.epoch = verdict.epoch;
    entry.heardAtMs = nowMs;
    entry.claims = null;
    return true;
  }

  view(target: string, nowMs = 0): FleetBreakerReading | undefined {
    const entry = this.entries.get(target);
    return entry && readingOf(entry.target, foremost(entry.target), entry.epoch, nowMs);
  }

  views(nowMs = 0): FleetBreakerReading[] {
    return [...this.entries.values()].map(({ target, epoch }) => readingOf(target, foremost(target), epoch, nowMs));
  }

  private step(
    key: string,
    { target, ledBy: epoch, publishAtMs }: Entry,
    out: { verdicts: Verdict[]; grants: TokenGrant[] },
    nowMs: number,
    wallMs: number,
  ): void {
    const changed = target.tick(!this.disabled.has(key), nowMs, wallMs);
    if (target.takeNews(nowMs)) publishAtMs.clear();
    for (const breaker of target.breakers()) {
      if (!changed.includes(breaker) && nowMs < (publishAtMs.get(breaker.zone) ?? Number.NEGATIVE_INFINITY)) continue;
      const isQuiet = breaker.isClosed && !target.isAsking(nowMs);
      publishAtMs.set(breaker.zone, nowMs + (isQuiet ? snapshotClosedMs : snapshotMs));
      out.verdicts.push(verdictOf(target, breaker, epoch, nowMs, wallMs));
      out.grants.push(...grantsOf(target, breaker, epoch));
    }
  }

  private hear(caller: string, report: Report, row: TargetCounts, nowMs: number): void {
    if (!parseServiceKey(row.target) || row.fail > row.n) return;
    const { identity } = report;
    if (row.target === `${identity.namespace}/${identity.service}`) {
      this.entries.get(row.target)?.target.hearOwn(identity.instance, row, nowMs);
      return;
    }
    const entry = this.entry(row.target, nowMs);
    if (!entry) return;
    entry.heardAtMs = nowMs;
    entry.claims?.hear(caller, row);
    if (!entry.target.hear(caller, report, row, report.epochSeen === entry.epoch, nowMs)) this.unheard++;
  }

  private renew(caller: string, reporter: Reporter, incarnation: string): void {
    if (reporter.replay.isOf(incarnation) || !reporter.replay.meet(incarnation)) return;
    for (const { target } of this.entries.values()) target.voters.remove(caller);
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

  private entry(key: string, nowMs: number): Entry | undefined {
    const known = this.entries.get(key);
    if (known) return known;
    if (this.entries.size >= this.bounds.targetsMax) {
      for (const [name, entry] of this.entries) if (isIdle(entry, nowMs)) this.forget(name, entry);
    }
    if (this.entries.size >= this.bounds.targetsMax) {
      this.unheard++;
      return undefined;
    }
    const target = new FleetTarget(key, {
      generation: this.generationFloor,
      callersMax: this.bounds.callersPerTargetMax,
      budget: this.callerBudget,
      random: this.random,
      nowMs,
    });
    const claims = new StandingClaims(nowMs);
    const epoch = this.epochOf(key);
    const entry = { target, ledBy: epoch, epoch, heardAtMs: nowMs, publishAtMs: new Map(), claims };
    this.entries.set(key, entry);
    return entry;
  }

  private forget(key: string, { target }: Entry): void {
    target.voters.removeAll();
    this.generationFloor = Math.max(this.generationFloor, target.generation);
    this.entries.delete(key);
  }
}

/** Who leads the target has changed. Beginning to, one announces at once what stands. */
function lead(entry: Entry, epoch: string, nowMs: number, wallMs: number): void {
  entry.ledBy = epoch;
  if (epoch === '') return;
  entry.epoch = epoch;
  entry.publishAtMs.clear();
  const { target } = entry;
  const scene = target.scene(nowMs, wallMs);
  for (const breaker of target.breakers()) breaker.lead(target.slots.areEnough(nowMs), scene);
}

/** Whether it is too early to speak of it: callers may know more. */
function isListening(entry: Entry, nowMs: number, wallMs: number): boolean {
  if (entry.claims === null) return false;
  if (!entry.claims.isOver(nowMs)) return true;
  const claimed = entry.claims.settle(nowMs);
  entry.claims = null;
  if (claimed === undefined) return false;
  entry.target.whole.adopt(claimed.state, claimed.generation, noEvidence, nowMs);
  entry.target.whole.lead(false, entry.target.scene(nowMs, wallMs));
  return false;
}

/** What was decided here is announced at once. */
function decided(entry: Entry): void {
  entry.claims = null;
  entry.publishAtMs.clear();
}

function callerKey(identity: Identity): string {
  return `${identity.namespace}/${identity.service}/${identity.instance}`;
}

/** What an operator forced stands until its time is over, whoever calls. */
function isIdle({ target, heardAtMs }: Entry, nowMs: number): boolean {
  const { state } = target.whole.state;
  return nowMs - heardAtMs > targetIdleMs && state !== 'forced_open' && state !== 'forced_closed';
}

/** The one to show: of all zones, or the zone that is worse off. */
function foremost(target: FleetTarget): FleetBreaker {
  if (!target.whole.isClosed) return target.whole;
  for (const breaker of target.breakers()) if (!breaker.isClosed) return breaker;
  return target.whole;
}
