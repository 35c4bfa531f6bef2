/** What a policy use case answers; the API turns each kind into a status, in one table. */
import type { PolicyError } from '../../proto/policy/problems.ts';
import type { TrafficPolicy } from '../../proto/policy/schema.ts';
import { BusError } from './bus.ts';

export type Refusal =
  | { readonly kind: 'invalid'; readonly errors: readonly PolicyError[] }
  | { readonly kind: 'exists'; readonly current: TrafficPolicy }
  | { readonly kind: 'absent'; readonly detail: string }
  /** If-Match is missing. */
  | { readonly kind: 'unconditional'; readonly current: TrafficPolicy }
  | { readonly kind: 'stale'; readonly current: TrafficPolicy | null }
  | { readonly kind: 'full'; readonly detail: string }
  | { readonly kind: 'unavailable'; readonly detail: string };

export type Outcome<T> = ({ readonly kind: 'ok' } & T) | Refusal;

/** Bus errors are refusals; everything else is a bug and goes on. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof BusError) {
    if (error.code === 'full') return { kind: 'full', detail: 'the policy store is full' };
    if (error.code === 'conflict') return { kind: 'stale', current: null };
    return { kind: 'unavailable', detail: `the policy store does not answer: ${error.message}` };
  }
  throw error;
}
