/** Retries and hedging with nothing left open. */
import { ordered } from './defaults-ordered.ts';
import type { HedgingSpec, RetriesSpec, RetryBudgetSpec, RetryOnSpec } from './schema-retries.ts';

export const defaultAttemptsMax = 2;
const defaultRetryOn: Required<RetryOnSpec> = {
  connectFailure: true,
  refused: true,
  reset: true,
  tryTimeout: true,
  grpcStatuses: ['UNAVAILABLE'],
  httpStatuses: [502, 503, 504],
};
/** Also for hedges where retries say nothing. */
export const defaultRetryBudget: Required<RetryBudgetSpec> = { percent: 10, minConcurrent: 3 };

export interface EffectiveRetries {
  attemptsMax: number;
  retryOn: Required<RetryOnSpec>;
  nonIdempotent: boolean;
  backoff: { base: string; max: string };
  budget: Required<RetryBudgetSpec>;
}

export interface EffectiveHedging {
  after: string;
  attemptsMax: number;
  nonIdempotent: boolean;
}

export function retriesWithDefaults(retries: RetriesSpec): EffectiveRetries {
  const [base, max] = ordered(retries.backoff?.base, retries.backoff?.max, '25ms', '250ms');
  return {
    attemptsMax: retries.attemptsMax ?? defaultAttemptsMax,
    retryOn: { ...defaultRetryOn, ...retries.retryOn },
    nonIdempotent: retries.nonIdempotent ?? false,
    backoff: { base, max },
    budget: { ...defaultRetryBudget, ...retries.budget },
  };
}

export function hedgingWithDefaults({ after, attemptsMax, nonIdempotent }: HedgingSpec): EffectiveHedging {
  return { after, attemptsMax: attemptsMax ?? defaultAttemptsMax, nonIdempotent: nonIdempotent ?? false };
}
