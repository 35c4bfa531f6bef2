/**
 * The states of a fleet breaker and how they stand on the wire. An opening is what stays the same from the moment the
 * breaker opens until it closes again: when that was, and who the callers were then.
 *
 *            quorum              cool is over              probes succeed            every stage passed
 *   CLOSED ─────────▶ OPEN ────────────────────▶ HALF_OPEN ───────────────▶ RAMP ─────────────────────▶ CLOSED
 *                      ▲   probes fail: cool × 2     │                        │
 *                      └─────────────────────────────┴──── requests fail ─────┘
 *   FORCED_OPEN, FORCED_CLOSED: from any state, for a time that somebody gave a reason for
 */

import type { Verdict } from '../../proto/fleet-messages.ts';
import { hashMembers } from '../../proto/fleet-slots.ts';
import { ProbeRound, roundGraceMs, tokenTtlMs } from './probe-round.ts';
import { RampStage, rampStepOf } from './ramp-stage.ts';

export interface Opening {
  readonly openedAtWallMs: number;
  readonly coolMs: number;
  /** Sorted; empty when only the hash is known. */
  readonly members: readonly string[];
  readonly membersHash: string;
}

export type FleetState =
  | { readonly state: 'closed' }
  | { readonly state: 'open'; readonly opening: Opening; readonly halfOpenAtMs: number; readonly carriedOk: number }
  | { readonly state: 'half_open'; readonly opening: Opening; readonly round: ProbeRound }
  | { readonly state: 'ramp'; readonly opening: Opening; readonly stage: RampStage }
  | { readonly state: 'forced_open' | 'forced_closed'; readonly opening: Opening; readonly untilMs: number };

export const coolMinMs = 1000;
/** What a leader waits that does not know which tokens its predecessor gave. */
export const newLeaderWaitMs = tokenTtlMs + roundGraceMs;
/** With more members than this the list would not fit a message; the others have no slot. */
export const membersMax = 8192;

export function openingOf(members: Iterable<string>, coolMs: number, wallMs: number): Opening {
  const sorted = [...members].sort().slice(0, membersMax);
  return { openedAtWallMs: wallMs, coolMs, members: sorted, membersHash: hashMembers(sorted) };
}

/** What another leader announced. The tokens of its round are not known here: they are taken for used. */
export function stateOfVerdict(verdict: Verdict, known: Opening | null, nowMs: number): FleetState | undefined {
  const { coolMs, openedAtWallMs, membersHash } = verdict;
  const members =
    verdict.members.length > 0 ? verdict.members : known?.membersHash === membersHash ? known.members : [];
  const opening = { openedAtWallMs, coolMs, members, membersHash };
  switch (verdict.state) {
    case 'closed':
      return { state: 'closed' };
    case 'open':
      return { state: 'open', opening, halfOpenAtMs: nowMs + coolMs, carriedOk: 0 };
    case 'half_open':
      return { state: 'half_open', opening, round: new ProbeRound(verdict.generation, [], 0, nowMs) };
    case 'ramp':
      return { state: 'ramp', opening, stage: new RampStage(rampStepOf(verdict.allow), nowMs) };
    case 'forced_open':
    case 'forced_closed':
      return { state: verdict.state, opening, untilMs: nowMs + verdict.expiresInMs };
    default:
      return undefined;
  }
}

export function openingIn(state: FleetState): Opening | null {
  return state.state === 'closed' ? null : state.opening;
}

/** What callers do under it: the share that passes. */
export function allowIn(state: FleetState): number {
  switch (state.state) {
    case 'closed':
    case 'forced_closed':
      return 1;
    case 'ramp':
      return state.stage.allow;
    default:
      return 0;
  }
}
