/**
 * Everything the fleet knows of one target, and the decision to open: who calls it and how that goes, what its own
 * sidecars say, which endpoints and which callers are at fault, and the breakers of all zones and of single ones.
 *
 *   a quorum fails ──▶ confined to endpoints? eject them ──▶ the target vouches for itself, or some zones are well?
 *                      open for the zones that fail ──▶ else open for all
 */
import { noEvidence } from '../../proto/fleet-blanks.ts';
import type { Report, TargetCounts } from '../../proto/fleet-messages.ts';
import { SlotSuccesses } from '../../proto/fleet-slots.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { tripEvidence } from './evidence.ts';
import { type WindowFinding, weighEvidence, windowMaxMs } from './evidence-window.ts';
import { FailingEndpoints } from './failing-endpoints.ts';
import { type BreakerScene, FleetBreaker, type Sequence } from './fleet-breaker.ts';
import { openingIn } from './fleet-state.ts';
import { votersMin } from './quorum.ts';
import { Suspects } from './suspects.ts';
import { type CallerBudget, Voters } from './voters.ts';
import { Witnesses } from './witnesses.ts';

export interface TargetOptions {
  /** Where its generations begin. */
  readonly generation: number;
  readonly callersMax: number;
  readonly budget: CallerBudget;
  readonly random: Random;
  readonly nowMs: number;
}

/** Zones of one target with a breaker of their own; callers of others are in the breaker of all. */
export const zonesMax = 16;
const suspectsEveryMs = 250;
/** So many failing callers are reason to ask the target's own sidecars. */
const askFrom = 2;
const askForMs = 1000;

export class FleetTarget {
  readonly key: string;
  readonly voters: Voters;
  readonly suspects = new Suspects();
  readonly slots = new SlotSuccesses();
  readonly endpoints = new FailingEndpoints();
  /** Of every zone. */
  readonly whole: FleetBreaker;
  private readonly zones = new Map<string, FleetBreaker>();
  private readonly witnesses = new Witnesses();
  private readonly sequence: Sequence;
  private readonly random: Random;
  private askUntilMs = Number.NEGATIVE_INFINITY;
  private suspectsAtMs = Number.NEGATIVE_INFINITY;
  /** Something other than a state changed that callers should hear of. */
  private hasNews = false;
  private ejectedBefore = 0;

  constructor(key: string, options: TargetOptions) {
    this.key = key;
    this.voters = new Voters(options.callersMax, options.budget);
    this.sequence = { generation: options.generation };
    this.random = options.random;
    this.whole = new FleetBreaker('', this.sequence, options.nowMs);
  }

  get generation(): number {
    return this.sequence.generation;
  }

  *breakers(): Iterable<FleetBreaker> {
    yield this.whole;
    yield* this.zones.values();
  }

  /** The one that callers of this zone obey. */
  breakerFor(zone: string): FleetBreaker {
    const own = this.zones.get(zone);
    return own !== undefined && own.generation > this.whole.generation ? own : this.whole;
  }

  /** For what another leader said of a zone; undefined when there are too many. */
  zoneBreaker(zone: string, nowMs: number): FleetBreaker | undefined {
    if (zone === '') return this.whole;
    let breaker = this.zones.get(zone);
    if (breaker === undefined && this.zones.size < zonesMax) {
      breaker = new FleetBreaker(zone, this.sequence, nowMs);
      this.zones.set(zone, breaker);
    }
    return breaker;
  }

  /** `sameEpoch`: the caller has heard this leader. False when it was not heard for want of room. */
  hear(caller: string, report: Report, row: TargetCounts, sameEpoch: boolean, nowMs: number): boolean {
    const breaker = this.breakerFor(report.identity.zone);
    // A caller that has not heard this leader yet reports what it really saw: only a closed breaker may use that.
    const isCurrent = sameEpoch ? row.generation >= breaker.generation : breaker.isClosed;
    const counts = { n: isCurrent ? row.n : 0, fail: isCurrent ? row.fail : 0, intervalMs: report.intervalMs };
    if (isCurrent) {
      this.endpoints.hear(row.endpoints, report.intervalMs, nowMs);
      breaker.hear(caller, row, this.suspects.named.has(caller));
    }
    const { identity, seq } = report;
    return this.voters.hear(caller, { identity, seq }, counts, Math.max(row.demand, row.n), nowMs);
  }

  /** A row about the speaker's own service: how the target fares by its own account. */
  hearOwn(instance: string, row: TargetCounts, nowMs: number): void {
    this.witnesses.hear(instance, row, nowMs);
  }

  hearSlot(membersHash: string, slot: number, ok: boolean, nowMs: number): void {
    if (openingIn(this.whole.state)?.membersHash === membersHash) this.slots.hear(slot, ok, nowMs);
  }

  /** Takes the steps that are due; the breakers that changed their state. */
  tick(enabled: boolean, nowMs: number, wallMs: number): FleetBreaker[] {
    const scene = this.scene(nowMs, wallMs);
    this.voters.expire(nowMs);
    const changed: FleetBreaker[] = [];
    for (const breaker of this.breakers()) {
      const { state } = breaker.state;
      const isForced = state === 'forced_open' || state === 'forced_closed';
      const step = enabled || isForced ? breaker.tick(scene) : breaker.close({ ...noEvidence, rule: 'policy' }, scene);
      if (step) changed.push(breaker);
    }
    if (enabled) {
      this.lookForSuspects(nowMs);
      for (const opened of this.weigh(scene)) changed.push(opened);
    }
    return changed;
  }

  /** Whether suspects or ejected endpoints changed since this was last asked. */
  takeNews(nowMs: number): boolean {
    const ejected = this.endpoints.ejected(nowMs).length;
    const hasNews = this.hasNews || ejected !== this.ejectedBefore;
    this.ejectedBefore = ejected;
    this.hasNews = false;
    return hasNews;
  }

  scene(nowMs: number, wallMs: number): BreakerScene {
    return { voters: this.voters, suspects: this.suspects.named, random: this.random, nowMs, wallMs };
  }

  /** Whether the target's own sidecars are to say how it is. */
  isAsking(nowMs: number): boolean {
    return nowMs < this.askUntilMs;
  }

  force(state: 'forced_open' | 'forced_closed', forMs: number, reason: string, scene: BreakerScene): void {
    this.becomeWhole();
    this.whole.force(state, forMs, reason, scene);
  }

  private lookForSuspects(nowMs: number): void {
    if (nowMs - this.suspectsAtMs < suspectsEveryMs || !this.whole.isClosed) return;
    this.suspectsAtMs = nowMs;
    if (!this.voters.failedWithin(windowMaxMs, nowMs) && this.suspects.named.size === 0) return;
    if (this.suspects.look(this.voters.all, nowMs)) this.hasNews = true;
  }

  private weigh(scene: BreakerScene): FleetBreaker[] {
    const { nowMs } = scene;
    const { voters } = this;
    if (!this.whole.isClosed || voters.count < votersMin || !voters.failedWithin(windowMaxMs, nowMs)) return [];
    const finding = weighEvidence(voters.all, nowMs);
    const zones = voters.zones();
    if (finding.failingVoters >= askFrom) {
      if (!this.isAsking(nowMs)) this.hasNews = true;
      this.askUntilMs = nowMs + askForMs;
    }
    if (finding.open) {
      const { failing, isSure } = this.endpoints.confined(finding.windowMs, nowMs);
      if (failing.length > 0) {
        if (isSure) this.eject(failing, nowMs);
        return [];
      }
      const isVouched = this.witnesses.vouch(finding.windowMs, nowMs);
      if (!isVouched && !(zones.size > 1 && this.someZoneIsWell(zones, nowMs))) {
        return [this.open(this.whole, tripEvidence(finding), scene)];
      }
    }
    return zones.size > 1 ? this.openZones(zones, scene) : [];
  }

  private eject(addresses: readonly string[], nowMs: number): void {
    this.endpoints.eject(addresses, nowMs);
    this.voters.clearCounts('');
    this.hasNews = true;
  }

  private openZones(zones: ReadonlySet<string>, scene: BreakerScene): FleetBreaker[] {
    const opened: FleetBreaker[] = [];
    for (const zone of zones) {
      if (zone === '') continue;
      const breaker = this.zones.get(zone);
      if (breaker !== undefined && !breaker.isClosed) continue;
      const finding = this.findingOf(zone, scene.nowMs);
      if (!finding.open) continue;
      const fresh = breaker ?? this.zoneBreaker(zone, scene.nowMs);
      if (fresh !== undefined) opened.push(this.open(fresh, tripEvidence(finding, zone), scene));
    }
    return opened;
  }

  private open(breaker: FleetBreaker, evidence: ReturnType<typeof tripEvidence>, scene: BreakerScene): FleetBreaker {
    this.suspects.acquit(scene.nowMs);
    if (breaker === this.whole) this.becomeWhole();
    breaker.open(evidence, scene);
    return breaker;
  }

  /** What is decided for all holds in every zone. */
  private becomeWhole(): void {
    this.slots.clear();
    this.zones.clear();
  }

  private someZoneIsWell(zones: ReadonlySet<string>, nowMs: number): boolean {
    for (const zone of zones) {
      const { n, fail, voters } = this.findingOf(zone, nowMs);
      if (voters >= votersMin && n >= 10 && fail * 10 <= n) return true;
    }
    return false;
  }

  private findingOf(zone: string, nowMs: number): WindowFinding {
    return weighEvidence(
      zone === '' ? new Map([...this.voters.all].filter(([, voter]) => voter.zone === '')) : this.voters.of(zone),
      nowMs,
    );
  }
}
