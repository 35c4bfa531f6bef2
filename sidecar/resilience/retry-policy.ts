/**
 * What a target's policy says about more than one attempt, with the state that its requests share: one budget, for
 * retries and hedges alike, and until when hedges are off because the service pushed back.
 */
import { RetryBudget, type RetryBudgetSettings } from './retry-budget.ts';
import type { RetryRules } from './retry-rules.ts';

export interface HedgingSettings {
  /** An attempt without the head of an answer after this gets another beside it. */
  readonly afterMs: number;
  /** No hedge once so many attempts were made, retries included. */
  readonly attemptsMax: number;
  readonly nonIdempotent: boolean;
}

export interface RetrySettings {
  /** No retry once so many were made, hedges included. */
  readonly attemptsMax: number;
  /** null: what fails is not repeated. */
  readonly rules: RetryRules | null;
  readonly hedging: HedgingSettings | null;
  readonly budget: RetryBudgetSettings;
  /** From the beginning of an attempt to the head of its answer; 0 = none. */
  readonly perTryTimeoutMs: number;
  /** Decide and count, and do nothing: no second attempt, no attempt cut short. */
  readonly shadow: boolean;
}

export class RetryPolicy {
  readonly settings: RetrySettings;
  readonly budget: RetryBudget;
  /** Whether an attempt needs a timer from its beginning. */
  readonly isTimed: boolean;
  /** After which an attempt is cut short; 0 = never. */
  readonly tryTimeoutMs: number;
  private hedgesFromMs = Number.NEGATIVE_INFINITY;

  /** `budget`: one that goes on, of a policy that was the same in this. */
  constructor(settings: RetrySettings, budget = new RetryBudget(settings.budget)) {
    this.settings = settings;
    this.budget = budget;
    this.tryTimeoutMs = settings.shadow ? 0 : settings.perTryTimeoutMs;
    this.isTimed = settings.perTryTimeoutMs > 0 || settings.hedging !== null;
  }

  /** The service asked to be left alone for so long. */
  pauseHedges(nowMs: number, pauseMs: number): void {
    this.hedgesFromMs = Math.max(this.hedgesFromMs, nowMs + pauseMs);
  }

  mayHedge(nowMs: number): boolean {
    return nowMs >= this.hedgesFromMs;
  }
}
