/**
 * A policy as requests meet it: numbers in milliseconds and objects with state, nothing left to parse or look up. A
 * request reads these once, when it arrives, and keeps them to its end, whatever is swapped meanwhile.
 */
import type { Admission } from '../admission/admission.ts';
import type { Breaker } from '../resilience/breaker.ts';
import type { HealthCheckSettings } from '../resilience/health.ts';
import type { RouteCounts } from './route-counts.ts';

/** What a rule tells callers apart by. Header names are in lower case. */
export type RateLimitKey =
  | { readonly kind: 'none' }
  | { readonly kind: 'header'; readonly header: string }
  | { readonly kind: 'address' }
  | { readonly kind: 'method' }
  | { readonly kind: 'path' };

export interface RateLimitRule {
  readonly name: string;
  readonly key: RateLimitKey;
  /** 0 when admitted, else ms until a request with this key would be. Rules without a key ignore it. */
  tryAcquire(key: string, nowMs: number): number;
}

/** 0 = not paced by it; at least one is set. */
export interface PaceSettings {
  readonly bytesPerSecond: number;
  /** Of gRPC; other content has no messages. */
  readonly messagesPerSecond: number;
}

/** How a stream of content may flow. */
export interface FlowSettings {
  /** 0 = as the engine likes. */
  readonly windowBytesMax: number;
  /** 0 = never. */
  readonly stallTimeoutMs: number;
  readonly requestPace: PaceSettings | null;
  readonly responsePace: PaceSettings | null;
}

export interface CompiledInbound {
  /** Count what would be refused and refuse nothing. */
  readonly shadow: boolean;
  readonly rateLimits: readonly RateLimitRule[];
  /** In shadow it admits everybody and still counts them: compare inFlight with concurrencyLimit. */
  readonly admission: Admission | null;
  /** The limit as the policy has it; 0 = none. */
  readonly concurrencyLimit: number;
  /** 0 = none. */
  readonly deadlineDefaultMs: number;
  /** 0 = none. */
  readonly deadlineMaxMs: number;
  readonly flow: FlowSettings | null;
  /** false: can be done without, and goes first. */
  readonly essential: boolean;
  /** What the request's route counts; null where the policy has no route for it. */
  readonly counts: RouteCounts | null;
}

export interface CompiledOutbound {
  readonly shadow: boolean;
  /** 0 = none. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly breaker: Breaker | null;
  /** Whether verdicts of the fleet apply to the breaker, and its counts are reported. */
  readonly fleetBreaker: boolean;
  /** In shadow there is none: leaving out an endpoint is more than counting. */
  readonly healthCheck: HealthCheckSettings | null;
  readonly essential: boolean;
  readonly counts: RouteCounts | null;
}
