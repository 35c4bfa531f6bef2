/** Retries, hedging and the timeout of one attempt, from a spec to settings. */

import { grpcCodeNames } from '../../proto/grpc-codes.ts';
import type { EffectiveOutbound } from '../../proto/policy/defaults-outbound.ts';
import {
  defaultRetryBudget,
  type EffectiveHedging,
  type EffectiveRetries,
} from '../../proto/policy/defaults-retries.ts';
import type { HedgingSettings, RetrySettings } from '../resilience/retry-policy.ts';
import type { RetryRules } from '../resilience/retry-rules.ts';
import { milliseconds } from './units.ts';

/** null: one attempt, for as long as it takes. */
export function retrySettings(outbound: EffectiveOutbound, shadow: boolean): RetrySettings | null {
  const { retries, hedging, perTryTimeout } = outbound;
  if (retries === undefined && hedging === undefined && perTryTimeout === undefined) return null;
  return {
    attemptsMax: retries?.attemptsMax ?? 1,
    rules: retries === undefined ? null : rulesOf(retries),
    hedging: hedging === undefined ? null : hedgingOf(hedging),
    budget: retries?.budget ?? defaultRetryBudget,
    perTryTimeoutMs: milliseconds(perTryTimeout),
    shadow,
  };
}

const names: readonly string[] = grpcCodeNames;

function rulesOf({ retryOn, nonIdempotent, backoff }: EffectiveRetries): RetryRules {
  return {
    onConnectFailure: retryOn.connectFailure,
    onRefused: retryOn.refused,
    onReset: retryOn.reset,
    onTryTimeout: retryOn.tryTimeout,
    grpcStatuses: retryOn.grpcStatuses.reduce((bits, name) => bits | (1 << names.indexOf(name)), 0),
    httpStatuses: retryOn.httpStatuses,
    nonIdempotent,
    backoffBaseMs: milliseconds(backoff.base),
    backoffMaxMs: milliseconds(backoff.max),
  };
}

function hedgingOf({ after, attemptsMax, nonIdempotent }: EffectiveHedging): HedgingSettings {
  return { afterMs: milliseconds(after), attemptsMax, nonIdempotent };
}
