/** What a policy use case answers; the API turns each kind into a status, in one table. */
import type { PolicyError } from '../../proto/policy/problems.ts';
import { BusError } from './bus.ts';

export type Refusal =
  | { readonly kind: 'invalid'; readonly errors: readonly PolicyError[] }
  | { readonly kind: 'exists'; readonly current: unknown }
  | { readonly kind: 'absent'; readonly detail: string }
  /** If-Match is missing. */
  | { readonly kind: 'unconditional'; readonly current: unknown }
  | { readonly kind: 'stale'; readonly current: unknown }
  /** Not in this state of things; the detail says what would have to be otherwise. */
  | { readonly kind: 'inapplicable'; readonly detail: string }
  | { readonly kind: 'full'; readonly detail: string }
  | { readonly kind: 'unavailable'; readonly detail: string };

export type Outcome<T> = ({ readonly kind: 'ok' } & T) | Refusal;

/** Does it when it is possible at all; a write is never kept for later, so that who asked knows what became of it. */
export async function attempt<T>(isPossible: boolean, operation: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
  if (!isPossible) {
    return { kind: 'unavailable', detail: 'the policy store cannot be reached: there is no connection to NATS' };
  }
  try {
    return await operation();
  } catch (error) {
    return refusalOf(error);
  }
}

/** Bus errors are refusals; everything else is a bug and goes on. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof BusError) {
    if (error.code === 'full') return { kind: 'full', detail: 'the policy store is full' };
    if (error.code === 'conflict') return { kind: 'stale', current: null };
    return { kind: 'unavailable', detail: `the policy store does not answer: ${error.message}` };
  }
  throw error;
}
