/**
 * What a leader that has never heard a verdict about a target learns from the target's callers: that one stands. Without
 * it a control plane that starts while a breaker is open would announce it closed and let everybody loose on a dead
 * service. A majority of those that speak must say so, since a single broken caller may say anything.
 */
import type { TargetCounts } from '../../proto/fleet-messages.ts';
import { coolMinMs, type FleetState, newLeaderWaitMs } from './fleet-state.ts';
import { RampStage } from './ramp-stage.ts';

/** So long a new target is listened to before anything is said about it. */
export const listenMs = 300;
const claimsMax = 1024;

export class StandingClaims {
  private readonly sinceMs: number;
  private readonly rows = new Map<string, TargetCounts>();

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  isOver(nowMs: number): boolean {
    return nowMs - this.sinceMs >= listenMs;
  }

  hear(caller: string, row: TargetCounts): void {
    if (this.rows.has(caller) || this.rows.size < claimsMax) this.rows.set(caller, row);
  }

  /** The state most callers obey, when it is not closed. */
  settle(nowMs: number): { readonly state: FleetState; readonly generation: number } | undefined {
    const claims = [...this.rows.values()].filter(({ fleetState }) => isShut(fleetState) || fleetState === 'ramp');
    if (claims.length * 2 <= this.rows.size) return undefined;
    const newest = claims.reduce((a, b) => (b.generation > a.generation ? b : a));
    const { openedAtWallMs, membersHash, generation } = newest;
    const opening = { openedAtWallMs, coolMs: coolMinMs, members: [], membersHash };
    const state: FleetState =
      newest.fleetState === 'ramp'
        ? { state: 'ramp', opening, stage: new RampStage(0, nowMs) }
        : { state: 'open', opening, halfOpenAtMs: nowMs + newLeaderWaitMs, carriedOk: 0 };
    return { state, generation };
  }
}

function isShut(state: string): boolean {
  return state === 'open' || state === 'half_open';
}
