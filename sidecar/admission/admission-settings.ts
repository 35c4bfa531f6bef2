/** What a policy says of the concurrency limit and its queue. */
import { type AlgorithmSettings, createLimit } from './concurrency/algorithm.ts';
import type { ConcurrencyLimit } from './concurrency/concurrency-limit.ts';
import { FixedLimit } from './concurrency/fixed-limit.ts';
import type { QueueSettings } from './queue-settings.ts';

export interface AdmissionSettings {
  /** Requests in flight at once. */
  readonly limit: number;
  /** Finds the limit instead. */
  readonly algorithm?: AlgorithmSettings;
  /** How long the permit of a request that nobody waits for stays with the app's work on it; 0 = not at all. */
  readonly abandonAfterMs?: number;
  /** Long streams beside the limit. */
  readonly streamsMax?: number;
  readonly queue: QueueSettings | null;
  /** Those who enter go on whatever the answer; what they hear says only what would have been. Takes no delivery credit. */
  readonly shadow?: boolean;
}

/** `from`: where it begins, if something was learnt already. */
export function algorithmOf({ limit, algorithm }: AdmissionSettings, cells?: Float64Array, from = 0): ConcurrencyLimit {
  return algorithm === undefined ? new FixedLimit(limit) : createLimit(algorithm, cells, from);
}

export function isSameLimit(a: AdmissionSettings, b: AdmissionSettings): boolean {
  return a.limit === b.limit && JSON.stringify(a.algorithm) === JSON.stringify(b.algorithm);
}
