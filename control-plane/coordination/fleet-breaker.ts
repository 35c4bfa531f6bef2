/**
 * The breaker of one target towards the callers of one zone, or of all: the states of fleet-state.ts and what leads from
 * one to the next. Whether it opens is decided outside (fleet-target.ts), where all zones are seen together.
 *
 * Every step is a new generation, drawn from one sequence for all zones of the target, and counts that were made under
 * an older one do not count: what a caller saw before the breaker opened says nothing about the probes. All steps are
 * taken in `tick`, so that what is decided together is announced together.
 */
import { noEvidence } from '../../proto/fleet-blanks.ts';
import type { Evidence, TargetCounts } from '../../proto/fleet-messages.ts';
import { unreachable } from '../../proto/kernel/assert.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { forcedEvidence, probeEvidence, rampEvidence } from './evidence.ts';
import { FlapDamping } from './flap-damping.ts';
import { coolMinMs, type FleetState, newLeaderWaitMs, type Opening, openingIn, openingOf } from './fleet-state.ts';
import { ProbeRound, shareTokens, type TokenShare } from './probe-round.ts';
import { RampStage } from './ramp-stage.ts';
import type { Voters } from './voters.ts';

/** While probes are cheap: five requests a round, however many callers there are. */
const coolMaxMs = 2000;
const coolDampedMaxMs = 15_000;

/** Shared by the zones of a target. */
export interface Sequence {
  generation: number;
}

/** What its steps need of the target. */
export interface BreakerScene {
  readonly voters: Voters;
  readonly suspects: ReadonlySet<string>;
  readonly random: Random;
  readonly nowMs: number;
  readonly wallMs: number;
}

export class FleetBreaker {
  readonly zone: string;
  state: FleetState = { state: 'closed' };
  generation: number;
  sinceMs: number;
  evidence: Evidence = noEvidence;
  /** Of the round that began with the last step, to be sent to their holders. */
  tokensToGive: readonly TokenShare[] = [];
  /** The opening whose member list was not announced yet. */
  membersToTell = '';
  private readonly sequence: Sequence;
  private readonly damping = new FlapDamping();

  constructor(zone: string, sequence: Sequence, nowMs: number) {
    this.zone = zone;
    this.sequence = sequence;
    this.generation = sequence.generation;
    this.sinceMs = nowMs;
  }

  get isClosed(): boolean {
    return this.state.state === 'closed';
  }

  /** One caller's counts under the generation that stands. */
  hear(caller: string, row: TargetCounts, isSuspect: boolean): void {
    if (this.state.state === 'half_open') this.state.round.hear(caller, row);
    else if (this.state.state === 'ramp' && !isSuspect) this.state.stage.hear(row);
  }

  open(evidence: Evidence, scene: BreakerScene): void {
    const opening = openingOf(scene.voters.of(this.zone).keys(), coolMinMs, scene.wallMs);
    this.membersToTell = opening.membersHash;
    this.shut(opening, evidence, scene);
  }

  force(state: 'forced_open' | 'forced_closed', forMs: number, reason: string, scene: BreakerScene): void {
    const members = scene.voters.of(this.zone).keys();
    const opening = openingIn(this.state) ?? openingOf(members, coolMinMs, scene.wallMs);
    this.membersToTell = opening.membersHash;
    this.enter({ state, opening, untilMs: scene.nowMs + forMs }, forcedEvidence(reason), scene);
  }

  /** An operator's word ends before its time. */
  release(scene: BreakerScene): boolean {
    if (this.state.state !== 'forced_open' && this.state.state !== 'forced_closed') return false;
    return this.endForce(this.state, scene);
  }

  close(evidence: Evidence, scene: BreakerScene): boolean {
    if (this.isClosed) return false;
    return this.enter({ state: 'closed' }, evidence, scene);
  }

  /** Takes the step that is due; true when the state changed. */
  tick(scene: BreakerScene): boolean {
    const { state } = this;
    switch (state.state) {
      case 'closed':
        return false;
      case 'open':
        return scene.nowMs >= state.halfOpenAtMs && this.beginRound(state.opening, state.carriedOk, scene);
      case 'half_open':
        return this.judgeRound(state.opening, state.round, scene);
      case 'ramp':
        return this.judgeStage(state.opening, state.stage, scene);
      case 'forced_open':
      case 'forced_closed':
        return scene.nowMs >= state.untilMs && this.endForce(state, scene);
      default:
        return unreachable(state);
    }
  }

  /** What another leader announced becomes the state here, with its cool time counted anew. */
  adopt(state: FleetState, generation: number, evidence: Evidence, nowMs: number): boolean {
    if (state.state === this.state.state && generation === this.generation) return false;
    this.state = state;
    this.evidence = evidence;
    this.generation = generation;
    this.sequence.generation = Math.max(this.sequence.generation, generation);
    this.sinceMs = nowMs;
    return true;
  }

  /**
   * Begins to lead with what stands. Which tokens the predecessor gave is not known, so that they are taken for used and
   * their time is waited for. `slotsPassed`: probes in time slots have already found the target well.
   */
  lead(slotsPassed: boolean, scene: BreakerScene): void {
    const { state } = this;
    if (state.state !== 'open' && state.state !== 'half_open' && state.state !== 'ramp') return;
    const { opening } = state;
    if (state.state === 'ramp' || slotsPassed) {
      const step = state.state === 'ramp' ? state.stage.step : 0;
      this.enter({ state: 'ramp', opening, stage: new RampStage(step, scene.nowMs) }, this.evidence, scene);
      return;
    }
    const waitedForMs = scene.nowMs + newLeaderWaitMs;
    const halfOpenAtMs = state.state === 'open' ? Math.max(state.halfOpenAtMs, waitedForMs) : waitedForMs;
    this.enter({ state: 'open', opening, halfOpenAtMs, carriedOk: 0 }, this.evidence, scene);
  }

  private beginRound(opening: Opening, carriedOk: number, scene: BreakerScene): boolean {
    const { voters, suspects, random, nowMs } = scene;
    const shares = shareTokens(voters.of(this.zone).values(), suspects, random, nowMs);
    // Nobody is there to probe, and nobody to be let through.
    if (shares.length === 0) return false;
    // The round has the number of the generation that begins with it.
    const round = new ProbeRound(this.sequence.generation + 1, shares, carriedOk, nowMs);
    this.enter({ state: 'half_open', opening, round }, this.evidence, scene);
    this.tokensToGive = shares;
    return true;
  }

  private judgeRound(opening: Opening, round: ProbeRound, scene: BreakerScene): boolean {
    const result = round.judge(scene.nowMs);
    switch (result.kind) {
      case 'wait':
        return false;
      case 'again':
        // All tokens of the round are spent or dead.
        return this.beginRound(opening, result.ok, scene) || this.waitForCallers(opening, result.ok, scene);
      case 'passed': {
        const stage = new RampStage(0, scene.nowMs);
        return this.enter({ state: 'ramp', opening, stage }, probeEvidence(result.ok, result.failed), scene);
      }
      case 'failed':
        return this.shut(this.doubled(opening, scene.nowMs), this.evidence, scene);
      default:
        return unreachable(result);
    }
  }

  private waitForCallers(opening: Opening, carriedOk: number, scene: BreakerScene): boolean {
    return this.enter({ state: 'open', opening, halfOpenAtMs: scene.nowMs, carriedOk }, this.evidence, scene);
  }

  private judgeStage(opening: Opening, stage: RampStage, scene: BreakerScene): boolean {
    switch (stage.judge(scene.nowMs)) {
      case 'wait':
        return false;
      case 'failed':
        return this.shut(this.doubled(opening, scene.nowMs), rampEvidence(stage), scene);
      case 'advance': {
        if (stage.isLast) return this.enter({ state: 'closed' }, rampEvidence(stage), scene);
        const next = new RampStage(stage.step + 1, scene.nowMs);
        return this.enter({ state: 'ramp', opening, stage: next }, this.evidence, scene);
      }
    }
  }

  /** After an operator kept it open, the target has to prove itself. */
  private endForce(state: FleetState & { state: 'forced_open' | 'forced_closed' }, scene: BreakerScene): boolean {
    if (state.state === 'forced_closed') return this.enter({ state: 'closed' }, noEvidence, scene);
    const { opening } = state;
    return this.enter({ state: 'open', opening, halfOpenAtMs: scene.nowMs, carriedOk: 0 }, this.evidence, scene);
  }

  private shut(opening: Opening, evidence: Evidence, scene: BreakerScene): boolean {
    if (this.state.state === 'closed' || this.state.state === 'ramp') this.damping.recordOpening(scene.nowMs);
    const halfOpenAtMs = scene.nowMs + opening.coolMs;
    return this.enter({ state: 'open', opening, halfOpenAtMs, carriedOk: 0 }, evidence, scene);
  }

  private doubled(opening: Opening, nowMs: number): Opening {
    const capMs = this.damping.isDamped(nowMs) ? coolDampedMaxMs : coolMaxMs;
    return { ...opening, coolMs: Math.min(capMs, opening.coolMs * 2) };
  }

  private enter(state: FleetState, evidence: Evidence, scene: BreakerScene): boolean {
    this.state = state;
    this.evidence = evidence;
    this.generation = ++this.sequence.generation;
    this.sinceMs = scene.nowMs;
    this.tokensToGive = [];
    scene.voters.clearCounts(this.zone);
    return true;
  }
}
