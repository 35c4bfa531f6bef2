/**
 * The breaker of one target, for the whole fleet.
 *
 *            quorum                cool is over
 *   CLOSED ─────────▶ OPEN ───────────────────▶ HALF_OPEN
 *      ▲               ▲     probes fail: cool × 2   │
 *      │               └─────────────────────────────┤
 *      └──────── 80 % of the probes succeed ─────────┘
 *
 * Every step is a new generation, and counts that were made under an older one do not count: what a caller saw before
 * the breaker opened says nothing about the probes. All steps are taken in `tick`, so that what is decided together
 * is announced together.
 */

import { noEvidence } from '../../proto/fleet-blanks.ts';
import type { Evidence } from '../../proto/fleet-messages.ts';
import { unreachable } from '../../proto/kernel/assert.ts';
import type { IntervalCounts } from './caller-counts.ts';
import { probeEvidence, tripEvidence } from './evidence.ts';
import { weighEvidence, windowMaxMs } from './evidence-window.ts';
import { votersMin } from './quorum.ts';
import type { CallerBudget } from './voters.ts';
import { Voters } from './voters.ts';

export type FleetState =
  | { readonly state: 'closed' }
  | { readonly state: 'open'; readonly halfOpenAtMs: number; readonly coolMs: number; readonly openedAtWallMs: number }
  | { readonly state: 'half_open'; readonly coolMs: number; readonly openedAtWallMs: number; readonly probes: Probes };

interface Probes {
  n: number;
  fail: number;
  heardAtMs: number;
}

const coolMinMs = 1000;
/** Each caller probes for itself, so a round costs the target more the more callers there are: 2 s to 20, 15 s from 150. */
const coolCapMinMs = 2000;
const coolCapMaxMs = 15_000;
const coolCapPerCallerMs = 100;
const probeResultsMin = 5;
const probeSuccessMin = 0.8;
/** So long after the last result a half-heard round is judged by what was heard. */
const probeSilenceMs = 2000;

export class FleetBreaker {
  readonly target: string;
  readonly voters: Voters;
  state: FleetState = { state: 'closed' };
  generation: number;
  sinceMs: number;
  evidence: Evidence = noEvidence;

  constructor(
    target: string,
    options: { generation: number; callersMax: number; budget: CallerBudget; nowMs: number },
  ) {
    this.target = target;
    this.generation = options.generation;
    this.sinceMs = options.nowMs;
    this.voters = new Voters(options.callersMax, options.budget);
  }

  /** One caller's interval. `current`: it was counted under the generation that stands. */
  hear(caller: string, counts: IntervalCounts, options: { demand: boolean; current: boolean }, nowMs: number): boolean {
    const counted = options.current ? counts : { ...counts, n: 0, fail: 0 };
    if (this.state.state === 'half_open' && counted.n > 0) {
      this.state.probes.n += counted.n;
      this.state.probes.fail += counted.fail;
      this.state.probes.heardAtMs = nowMs;
    }
    return this.voters.hear(caller, counted, options.demand, nowMs);
  }

  /** Takes the step that is due; true when the state changed. */
  tick(enabled: boolean, nowMs: number, wallMs: number): boolean {
    this.voters.expire(nowMs);
    if (!enabled) {
      if (this.state.state !== 'closed') return this.enter({ state: 'closed' }, noEvidence, nowMs);
      return false;
    }
    switch (this.state.state) {
      case 'closed':
        return this.weigh(nowMs, wallMs);
      case 'open': {
        if (nowMs < this.state.halfOpenAtMs) return false;
        const { coolMs, openedAtWallMs } = this.state;
        const probes = { n: 0, fail: 0, heardAtMs: nowMs };
        return this.enter({ state: 'half_open', coolMs, openedAtWallMs, probes }, this.evidence, nowMs);
      }
      case 'half_open':
        return this.judgeProbes(this.state, nowMs);
      default:
        return unreachable(this.state);
    }
  }

  /** What another leader announced becomes the state here, with its cool time counted anew. */
  adopt(state: FleetState, generation: number, evidence: Evidence, nowMs: number): void {
    const changed = state.state !== this.state.state || generation !== this.generation;
    if (!changed) return;
    this.enter(state, evidence, nowMs);
    this.generation = generation;
  }

  private weigh(nowMs: number, wallMs: number): boolean {
    if (this.voters.count < votersMin || !this.voters.failedWithin(windowMaxMs, nowMs)) return false;
    const finding = weighEvidence(this.voters.all, nowMs);
    if (!finding.open) return false;
    return this.enter(
      { state: 'open', coolMs: coolMinMs, halfOpenAtMs: nowMs + coolMinMs, openedAtWallMs: wallMs },
      tripEvidence(finding),
      nowMs,
    );
  }

  private judgeProbes(state: FleetState & { state: 'half_open' }, nowMs: number): boolean {
    const { n, fail, heardAtMs } = state.probes;
    const succeeded = n === 0 || (n - fail) / n >= probeSuccessMin;
    const enough = n >= Math.max(1, Math.min(probeResultsMin, this.voters.count));
    const silent = nowMs - heardAtMs >= probeSilenceMs;
    if (enough && succeeded) return this.enter({ state: 'closed' }, probeEvidence(n, fail), nowMs);
    if (!enough && !silent) return false;
    if (succeeded) return this.askAgain(state, nowMs);
    const cap = Math.min(coolCapMaxMs, Math.max(coolCapMinMs, coolCapPerCallerMs * this.voters.count));
    const coolMs = Math.min(cap, state.coolMs * 2);
    return this.enter(
      { state: 'open', coolMs, halfOpenAtMs: nowMs + coolMs, openedAtWallMs: state.openedAtWallMs },
      this.evidence,
      nowMs,
    );
  }

  /**
   * Every caller has a number of probes per generation. When they did not suffice, or their results were lost, those that
   * still have demand get another round; what was heard stays heard.
   */
  private askAgain(state: FleetState & { state: 'half_open' }, nowMs: number): boolean {
    if (this.voters.count === 0) return false;
    return this.enter({ ...state, probes: { ...state.probes, heardAtMs: nowMs } }, this.evidence, nowMs);
  }

  private enter(state: FleetState, evidence: Evidence, nowMs: number): boolean {
    this.state = state;
    this.evidence = evidence;
    this.generation++;
    this.sinceMs = nowMs;
    this.voters.clearCounts();
    return true;
  }
}
