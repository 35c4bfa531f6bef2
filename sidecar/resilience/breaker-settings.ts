/** What a breaker is told to do, and what it tells. */
import type { BreakerStateCode } from './breaker-state.ts';

/** A share of the calls in a window that opens the breaker. */
export interface ShareCondition {
  readonly percent: number;
  /** Calls in the window below which nothing is decided; a window of calls decides once it is full if that is earlier. */
  readonly minRequests: number;
  /** How far back calls count; 0 = by number, see windowRequests. */
  readonly windowMs: number;
  /** The last so many calls count, however old; 0 = by time. */
  readonly windowRequests: number;
}

export interface SlowCondition extends ShareCondition {
  /** A call that took as long as this, or longer, was slow. */
  readonly slowerThanMs: number;
}

export interface BreakerSettings {
  /** Failures in a row that open it; 0 = not a condition. */
  readonly consecutiveFailures: number;
  /** null = not a condition. */
  readonly failureRatio: ShareCondition | null;
  /** null = not a condition. */
  readonly slowCalls: SlowCondition | null;
  readonly openForMs: number;
  readonly openForMaxMs: number;
  /** N: probes at once, and successes that close. */
  readonly probes: number;
  /** A probe that is not answered within this has failed, and frees its slot. */
  readonly probeTimeoutMs: number;
}

export interface BreakerTransition {
  readonly from: BreakerStateCode;
  readonly to: BreakerStateCode;
  readonly cause: string;
  readonly nowMs: number;
}
