/**
 * The outbound steps, which protect the services that the app calls: which service (authority or local port) → deadline
 * → breaker (fleet or local) → endpoint by P2C. There is no queue here but the short wait for a connection.
 */
import { Reason } from '../../proto/reasons.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { CompiledOutbound } from '../policy/compiled.ts';
import { passThroughOutbound } from '../policy/swap.ts';
import { BreakerState } from '../resilience/breaker-state.ts';
import { Outcome } from '../resilience/outcome.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import { countArrival, countEnd, countRefused, countWouldReject } from './accounting.ts';
import { AttemptPlace } from './attempt.ts';
import type { AttemptView, Clock, RequestView, Side } from './context.ts';
import { deadlineOf } from './deadline-of.ts';
import type { Gate } from './gate.ts';
import type { MeshToken } from './mesh-token.ts';
import { headOfRetry } from './onward-head.ts';
import type { Target, Targets } from './targets.ts';
import type { TrafficStats } from './traffic-stats.ts';

export interface OutboundOptions {
  readonly clock: Clock;
  readonly gate: Gate;
  readonly targets: Targets;
  /** Counts requests for services nobody knows. */
  readonly unrouted: TrafficStats;
  /** The one service behind this local port; null = by authority. */
  readonly fixedTarget: string | null;
  readonly upstreamProtocol: (callers: number) => number;
  /** Shown to the sidecars of others; null when none is configured. */
  readonly meshToken: MeshToken | null;
}

export class OutboundSide implements Side {
  readonly name = 'outbound';
  private readonly options: OutboundOptions;

  constructor(options: OutboundOptions) {
    this.options = options;
  }

  admit(request: RequestView): number {
    const { clock, targets, fixedTarget } = this.options;
    const nowMs = clock.nowMs;
    const target = fixedTarget === null ? targets.byAuthority(request.head.authority) : targets.byKey(fixedTarget);
    if (target === undefined) {
      request.traffic = this.options.unrouted;
      countArrival(this.options.unrouted);
      return request.head.tooLarge ? Reason.headersTooLarge : Reason.noRoute;
    }
    request.traffic = target.traffic;
    request.target = target;
    countArrival(target.traffic);
    const refusal = this.options.gate.refusalOf(request);
    if (refusal !== Reason.none) return refusal;
    target.cluster.counts.recordDemand();
    const outbound = target.policy.outboundFor(request.head);
    request.counts = outbound.counts;
    request.connectTimeoutMs = outbound.connectTimeoutMs;
    request.deadlineMs = deadlineOf(request.head, outbound.timeoutMs, outbound.timeoutMs, nowMs);
    request.retryPolicy = outbound.retries;
    return this.acquire(request, outbound, nowMs);
  }

  isShut(request: RequestView): boolean {
    const { breaker, shadow } = this.outboundOf(request);
    if (breaker === null || shadow) return false;
    breaker.tick(this.options.clock.nowMs);
    const state = breaker.effectiveState;
    return state === BreakerState.open || state === BreakerState.forcedOpen;
  }

  admitAgain(request: RequestView): number {
    return this.acquire(request, this.outboundOf(request), this.options.clock.nowMs);
  }

  private outboundOf({ target, head }: RequestView): CompiledOutbound {
    return target === null ? passThroughOutbound : target.policy.outboundFor(head);
  }

  private acquire(request: RequestView, outbound: CompiledOutbound, nowMs: number): number {
    const { breaker } = outbound;
    if (breaker === null) return 0;
    const waitMs = breaker.tryAcquire(nowMs);
    if (waitMs > 0) {
      if (!outbound.shadow) {
        request.retryAfterMs = waitMs;
        return breaker.refusalReason;
      }
      countWouldReject(request, breaker.refusalReason);
      return 0;
    }
    request.breaker = breaker;
    request.isProbe = breaker.lastAcquireWasProbe;
    request.generation = breaker.generation;
    return 0;
  }

  pick(request: RequestView, attempt: AttemptView): string {
    if (request.breaker !== null) {
      attempt.breaker = request.breaker;
      attempt.isProbe = request.isProbe;
      attempt.generation = request.generation;
      request.breaker = null;
    }
    const endpoint = request.target?.cluster.pick(this.options.clock.nowMs, attempt.avoid);
    if (endpoint === undefined) return '';
    attempt.endpoint = endpoint;
    endpoint.begin(this.options.clock.nowMs);
    return endpoint.dialAddress;
  }

  protocolFor(request: RequestView): number {
    return this.options.upstreamProtocol(request.protocol);
  }

  forwardedHead(request: RequestView, attempt: AttemptView): HeaderList {
    const { meshToken } = this.options;
    const head = meshToken === null ? request.head : meshToken.add(request.head);
    return attempt.number === 1 ? head : headOfRetry(head, attempt.number);
  }

  release(_request: RequestView, attempt: AttemptView): void {
    if (attempt.endpoint === null) return;
    attempt.endpoint.inFlight--;
    attempt.endpoint.recordNothing();
    attempt.endpoint = null;
  }

  wouldRefuse(_request: RequestView, _reason: number): void {}

  refused(reason: number, isRequest: boolean): void {
    countRefused(this.options.unrouted, reason, isRequest);
  }

  settleAttempt({ target }: RequestView, attempt: AttemptView, outcome: number, reason: number): void {
    const nowMs = this.options.clock.nowMs;
    const durationMs = nowMs - attempt.startedMs;
    const { endpoint, breaker } = attempt;
    if (endpoint !== null) {
      endpoint.inFlight--;
      attempt.endpoint = null;
      recordReach(endpoint, attempt, reason, nowMs);
      if (outcome === Outcome.failure && reason !== Reason.upstreamConnect) endpoint.failures++;
      if (target !== null) this.count(attempt, target, endpoint.address, outcome, durationMs);
    }
    if (breaker === null) return;
    attempt.breaker = null;
    const seen = endpoint === null ? Outcome.ignored : outcome;
    breaker.record(seen, durationMs, attempt.isProbe, attempt.generation, nowMs);
  }

  settle(request: RequestView, outcome: number, reason: number): void {
    const nowMs = this.options.clock.nowMs;
    const durationMs = nowMs - request.startedMs;
    const { breaker } = request;
    if (request.traffic !== null) countEnd(request.traffic, request.counts, outcome, reason, durationMs);
    // It never came to an attempt.
    if (breaker === null) return;
    request.breaker = null;
    breaker.record(Outcome.ignored, durationMs, request.isProbe, request.generation, nowMs);
  }

  /** The evidence for the fleet: what this caller saw of the target. */
  private count(attempt: AttemptView, target: Target, address: string, outcome: number, durationMs: number): void {
    if (outcome === Outcome.ignored) {
      // The one that was too late in a race says nothing.
      if (attempt.place === AttemptPlace.lost) return;
      if (attempt.status === 0) target.cluster.counts.recordLocalFailure();
      else target.cluster.counts.recordShed();
      return;
    }
    target.cluster.counts.recordOutcome(outcome, durationMs, address);
    if (outcome === Outcome.failure) target.onFailure?.();
  }
}

/** What the attempt's end says about whether the endpoint can be reached. Our own refusals say nothing. */
function recordReach(endpoint: Endpoint, attempt: AttemptView, reason: number, nowMs: number): void {
  switch (reason) {
    case Reason.upstreamConnect:
      return endpoint.recordUnreachable(nowMs);
    case Reason.none:
    case Reason.upstreamProtocol:
      return endpoint.recordReached();
    case Reason.upstreamReset:
      return attempt.connectionLost ? endpoint.recordUnreachable(nowMs) : endpoint.recordReached();
    default:
      return endpoint.recordNothing();
  }
}
