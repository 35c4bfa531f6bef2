/**
 * A policy as requests meet it: numbers in milliseconds and objects with state, nothing left to parse or look up. A
 * request reads these once, when it arrives, and keeps them to its end, whatever is swapped meanwhile.
 */
import type { Admission } from '../admission/admission.ts';
import type { LevelControl } from '../admission/level-control.ts';
import type { Breaker } from '../resilience/breaker.ts';
import type { Classifier } from '../resilience/classifier.ts';
import type { ClientThrottle } from '../resilience/client-throttle.ts';
import type { HealthCheckSettings } from '../resilience/health.ts';
import type { RetryPolicy } from '../resilience/retry-policy.ts';
import type { StaleAnswers } from '../resilience/stale-answers.ts';
import type { StoredLevel } from '../resilience/stored-level.ts';
import type { EndpointSettings } from '../routing/endpoint-settings.ts';
import type { FallbackSettings } from './compile-fallback.ts';
import type { ParkingSettings } from './compile-parking.ts';
import type { PriorityClasses } from './priority-classes.ts';
import type { RateLimitSignals } from './rate-limit-signals.ts';
import type { RouteCounts } from './route-counts.ts';

/** What a rule tells callers apart by. Header names are in lower case. */
export type RateLimitKey =
  | { readonly kind: 'none' }
  | { readonly kind: 'header'; readonly header: string }
  | { readonly kind: 'identity' }
  | { readonly kind: 'address' }
  | { readonly kind: 'method' }
  | { readonly kind: 'path' };

/** What a request counts for. */
export interface RateLimitCost {
  /** Of requests that say nothing, or are not believed. */
  readonly usual: number;
  /** Where trusted callers say it, in lower case; '' = nowhere. */
  readonly header: string;
  readonly max: number;
}

export interface RateLimitRule {
  readonly name: string;
  readonly key: RateLimitKey;
  readonly cost: RateLimitCost;
  /** What is admitted at once after a quiet time. */
  readonly quota: number;
  /** The answers of Meter.take. Below 0 the request also holds a place among those who wait: leaveLine() gives it back. */
  tryAcquire(key: string, nowMs: number, cost?: number, patienceMs?: number): number;
  leaveLine(): void;
  /** Of the bucket that the last request met; ask at once. */
  remaining(nowMs: number): number;
  steadyMs(nowMs: number): number;
}

/** 0 = not paced by it; at least one is set. */
export interface PaceSettings {
  readonly bytesPerSecond: number;
  /** Of gRPC; other content has no messages. */
  readonly messagesPerSecond: number;
}

/** Which gRPC messages go when a reader is slow, and how many wait for it before that. */
export interface OverflowSettings {
  /** Else the newest. */
  readonly dropsOldest: boolean;
  readonly messagesMax: number;
  /** Of their content. */
  readonly bytesMax: number;
}

/** How a stream of content may flow. */
export interface FlowSettings {
  /** Count who would lose a stream, and take none away. */
  readonly shadow: boolean;
  /** 0 = as the engine likes. */
  readonly windowBytesMax: number;
  /** 0 = never. */
  readonly stallTimeoutMs: number;
  readonly requestPace: PaceSettings | null;
  readonly responsePace: PaceSettings | null;
  readonly requestOverflow: OverflowSettings | null;
  readonly responseOverflow: OverflowSettings | null;
}

/** Who is told how loaded the service is. */
export const LoadTo = { nobody: 0, mesh: 1, everybody: 2 } as const;

/** How long a request may take. */
export interface DeadlineSettings {
  readonly shadow: boolean;
  /** For requests that ask for none; 0 = none. */
  readonly defaultMs: number;
  /** 0 = none. */
  readonly maxMs: number;
  /** Where requests that are not gRPC tell how many ms are left; '' = nowhere. In lower case. */
  readonly timeoutHeader: string;
}

export interface CompiledInbound {
  /** Count what would be refused and refuse nothing. */
  readonly shadow: boolean;
  readonly rateLimits: readonly RateLimitRule[];
  /** How the limits are told to callers; null without limits. */
  readonly rateLimitSignals: RateLimitSignals | null;
  /** Whether admitted responses tell of the limits, too. */
  readonly signalsAdmitted: boolean;
  /** `LoadTo` */
  readonly loadTo: number;
  /** In shadow it decides all the same, and everybody goes on. */
  readonly admission: Admission | null;
  /** The limit as the policy has it, or where it begins; 0 = none. What it is now: `admission.limit`. */
  readonly concurrencyLimit: number;
  readonly deadline: DeadlineSettings;
  readonly flow: FlowSettings | null;
  readonly classifier: Classifier;
  /** null: nothing tells requests apart, and nothing is remembered of them. */
  readonly priorities: PriorityClasses | null;
  readonly levels: LevelControl | null;
  /** false: can be done without, and goes first. */
  readonly essential: boolean;
  /** What the request's route counts; null where the policy has no route for it. */
  readonly counts: RouteCounts | null;
}

/** What answers when the service cannot. */
export interface Fallback extends Omit<FallbackSettings, 'stale'> {
  /** In shadow it counts when it would have answered, and never does. */
  readonly shadow: boolean;
  readonly stale: StaleAnswers | null;
}

export interface CompiledOutbound {
  readonly shadow: boolean;
  readonly deadline: DeadlineSettings;
  readonly connectTimeoutMs: number;
  /** After which it would be given up, but for shadow; 0 = as it is. HTTP/1.1 connects behind its streams: not counted. */
  readonly shadowConnectTimeoutMs: number;
  readonly breaker: Breaker | null;
  /** Whether verdicts of the fleet apply to the breaker, and its counts are reported. */
  readonly fleetBreaker: boolean;
  /** In shadow there is none: leaving out an endpoint is more than counting. */
  readonly healthCheck: HealthCheckSettings | null;
  /** More than one attempt, or a bound on one; null = one attempt for as long as it takes. */
  readonly retries: RetryPolicy | null;
  readonly classifier: Classifier;
  readonly flow: FlowSettings | null;
  /** Those of the service count, whatever the route: routes share endpoints. */
  readonly endpoints: EndpointSettings;
  readonly fallback: Fallback | null;
  /** null: nothing is parked. */
  readonly parking: ParkingSettings | null;
  /** null: never. */
  readonly throttle: ClientThrottle | null;
  /** The level that the target told; null where its policy has no levels. */
  readonly level: StoredLevel | null;
  /** Those of the target, by which a request that begins here is judged; null where its policy has none. */
  readonly priorities: PriorityClasses | null;
  readonly essential: boolean;
  readonly counts: RouteCounts | null;
}
