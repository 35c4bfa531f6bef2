/**
 * Which attempts may be repeated, and when. The questions, in this order: is it one of the failures that the policy
 * names; may this call be made twice; what does the service itself say about coming back?
 *
 * | what happened                               | nobody looked at it | repeated, if the policy names it, for            |
 * |---------------------------------------------|---------------------|--------------------------------------------------|
 * | no connection                               | sure                | every call                                       |
 * | refused unread (REFUSED_STREAM, GOAWAY)     | sure                | every call                                       |
 * | its endpoint's sidecar has no room for it   | sure                | every call, at once, by another endpoint         |
 * | gRPC status, without a message before it    | the service says    | every call: whoever lists a status vouches for it |
 * | HTTP status                                 | no                  | idempotent methods                               |
 * | reset, or connection lost, without an answer | no                 | idempotent methods                               |
 * | no answer within perTryTimeout              | no                  | idempotent methods                               |
 *
 * A gRPC call is no idempotent method (it is a POST) unless the policy says so (`nonIdempotent`).
 */
import type { Random } from '../../proto/kernel/random.ts';
import { Reason, reasonTable } from '../../proto/reasons.ts';

/** What ended an attempt without an answer to pass on. */
export const AttemptEnd = { connectFailure: 0, refused: 1, reset: 2, tryTimeout: 3, other: 4 } as const;

export interface RetryRules {
  readonly onConnectFailure: boolean;
  readonly onRefused: boolean;
  readonly onReset: boolean;
  readonly onTryTimeout: boolean;
  /** Bit n: gRPC status n. */
  readonly grpcStatuses: number;
  readonly httpStatuses: readonly number[];
  /** Calls that are not idempotent by their method may be repeated all the same. */
  readonly nonIdempotent: boolean;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

/** What the rules ask of a request. */
export interface RepeatableRequest {
  readonly method: string;
  readonly isGrpc: boolean;
}

/** RFC 9110 §9.2.2. */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function isIdempotent({ method, isGrpc }: RepeatableRequest): boolean {
  return !isGrpc && idempotentMethods.has(method);
}

/** Whether an attempt that ended so, without an answer, may be repeated. */
export function repeatsEnd(rules: RetryRules, request: RepeatableRequest, end: number): boolean {
  switch (end) {
    case AttemptEnd.connectFailure:
      return rules.onConnectFailure;
    case AttemptEnd.refused:
      return rules.onRefused;
    case AttemptEnd.reset:
      return rules.onReset && (rules.nonIdempotent || isIdempotent(request));
    case AttemptEnd.tryTimeout:
      return rules.onTryTimeout && (rules.nonIdempotent || isIdempotent(request));
    default:
      return false;
  }
}

/** Whether an answer that begins so may be thrown away for another attempt. `grpcStatus` '' = none with the head. */
export function repeatsAnswer(
  rules: RetryRules,
  request: RepeatableRequest,
  status: number,
  grpcStatus: string,
): boolean {
  if (grpcStatus !== '') {
    const code = Number(grpcStatus);
    return Number.isInteger(code) && code > 0 && code < 32 && (rules.grpcStatuses & (1 << code)) !== 0;
  }
  if (status < 400 || !rules.httpStatuses.includes(status)) return false;
  return rules.nonIdempotent || isIdempotent(request);
}

/** Of the queue in front of one endpoint; a level, or a limit on the rate, is the service's. */
const noRoom: ReadonlySet<string> = new Set(
  [Reason.queueFull, Reason.queueTimeout, Reason.queueShed, Reason.evicted].map((reason) => reasonTable[reason]!.name),
);

/** Whether this is the `weir-reason` of an endpoint's sidecar that had no room for the request. */
export function saysNoRoom(weirReason: string): boolean {
  return weirReason !== '' && noRoom.has(weirReason);
}

/** The service says nothing about when to come back. */
export const noPushback = -1;
/** It says: do not. */
export const neverAgain = -2;

/**
 * What the service says about coming back, in ms; gRPC A6: negative or unparseable means never. Retry-After is taken as
 * whole seconds (RFC 9110 §10.2.3); its other form, a date, needs a clock in common and is taken as never.
 */
export function pushbackOf(grpcPushback: string | undefined, retryAfter: string | undefined): number {
  if (grpcPushback !== undefined) return /^\d{1,9}$/.test(grpcPushback) ? Number(grpcPushback) : neverAgain;
  if (retryAfter !== undefined) return /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : neverAgain;
  return noPushback;
}

/**
 * How long to wait before the next attempt. Full jitter: anything up to base · 2ⁿ, so that callers who failed together
 * do not come back together. A pushback is never cut short, only stretched by up to a fifth.
 */
export function retryDelayMs(rules: RetryRules, retries: number, pushbackMs: number, random: Random): number {
  if (pushbackMs >= 0) return pushbackMs * (1 + 0.2 * random.next());
  return random.next() * Math.min(rules.backoffMaxMs, rules.backoffBaseMs * 2 ** retries);
}
