/**
 * The outbound steps, which protect the services that the app calls: which service (authority or local port) → deadline
 * → priority → breaker (fleet or local) → the target's level → client throttle → endpoint by P2C. There is no queue here
 * but the short wait for a connection.
 */
import type { Random } from '../../proto/kernel/random.ts';
import { Reason } from '../../proto/reasons.ts';
import { lessImportant, levelCount, priorityOf } from '../../proto/tiers.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { CompiledOutbound } from '../policy/compiled.ts';
import { type LivePolicy, passThroughOutbound } from '../policy/swap.ts';
import type { Breaker } from '../resilience/breaker.ts';
import { BreakerState } from '../resilience/breaker-state.ts';

import { Outcome } from '../resilience/outcome.ts';
import { saysNoRoom } from '../resilience/retry-rules.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import { countArrival, countEnd, countLate, countRefused, countWouldReject } from './accounting.ts';
import { AttemptPlace } from './attempt.ts';
import type { AttemptView, Clock, RequestView, Side } from './context.ts';
import { setDeadline } from './deadline-of.ts';
import type { Gate } from './gate.ts';
import type { MeshToken } from './mesh-token.ts';
import { belowRetry, headOfRetry, withTimeLeft } from './onward-head.ts';
import type { Parker } from './parker.ts';
import { idempotencyKey, Parking } from './parking.ts';
import { recordReach } from './reach.ts';
import type { RequestPriority } from './request-priority.ts';
import type { Target, Targets } from './targets.ts';
import type { TrafficStats } from './traffic-stats.ts';
import { headForMesh, levelTold, withLevel } from './weir-fields.ts';

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
  /** Whether targets can tell that we are of the mesh; to others nothing is told. */
  readonly tells: boolean;
  /** Of the own service: whether requests that come in are remembered. */
  readonly own: LivePolicy;
  readonly priority: RequestPriority;
  readonly random: Random;
  /** null: nothing can be parked. */
  readonly parker: Parker | null;
}

/** A level, and a share of refusals, change within a second. */
const shedRetryAfterMs = 1000;

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
    const outbound = target.policy.outboundFor(request.head);
    request.counts = outbound.counts;
    request.fallback = outbound.fallback;
    if (outbound.parking !== null) {
      request.parking = Parking.of(request, outbound.parking, this.options.parker, target.key);
    }
    setDeadline(request, outbound.deadline, nowMs);
    const links = this.options.own.inbound.priorities !== null;
    if (links || outbound.priorities !== null || outbound.level !== null) {
      this.options.priority.inherit(request, links, outbound.priorities, nowMs);
    }
    request.isRetry = this.options.priority.isRetriedAbove(request, nowMs);
    return this.admitTo(target, outbound, request, nowMs);
  }

  refusalAgain(request: RequestView): number {
    const { breaker, level, shadow } = this.outboundOf(request);
    if (shadow) return Reason.none;
    const { nowMs } = this.options.clock;
    if (breaker !== null) {
      breaker.tick(nowMs);
      const state = breaker.effectiveState;
      if (state === BreakerState.open || state === BreakerState.forcedOpen) return breaker.refusalReason;
    }
    if (level === null) return Reason.none;
    // What is tried again is no probe of the level, and stands for nobody else.
    return priorityOf(lessImportant(request.tier), request.userLevel) < level.at(nowMs)
      ? Reason.none
      : Reason.upstreamLevel;
  }

  passesAgain(request: RequestView): boolean {
    const outbound = this.outboundOf(request);
    return this.askThrottle(request, outbound, lessImportant(request.tier), this.options.clock.nowMs) === Reason.none;
  }

  admitAgain(request: RequestView): number {
    const { nowMs } = this.options.clock;
    request.standsFor = 1;
    let reason = this.refusalAgain(request);
    if (reason === Reason.none) reason = this.askBreaker(request, this.outboundOf(request), nowMs);
    if (reason === Reason.upstreamLevel) request.retryAfterMs = shedRetryAfterMs;
    if (reason !== Reason.none) this.giveBack(request);
    return reason;
  }

  isRetriedAbove(request: RequestView): boolean {
    return this.options.priority.isRetriedAbove(request, this.options.clock.nowMs);
  }

  private outboundOf({ target, head }: RequestView): CompiledOutbound {
    return target === null ? passThroughOutbound : target.policy.outboundFor(head);
  }

  /** The request stays one for the first service: there it is counted, and that policy's deadline holds. */
  turnTo(request: RequestView, service: string): number {
    const { clock, targets } = this.options;
    const target = targets.byKey(service);
    if (target === undefined) return Reason.noRoute;
    this.giveBack(request);
    request.target = target;
    return this.admitTo(target, target.policy.outboundFor(request.head), request, clock.nowMs);
  }

  private admitTo(target: Target, outbound: CompiledOutbound, request: RequestView, nowMs: number): number {
    target.cluster.counts.recordDemand();
    request.connectTimeoutMs = outbound.connectTimeoutMs;
    request.shadowConnectTimeoutMs = outbound.shadowConnectTimeoutMs;
    request.retryPolicy = outbound.retries;
    request.classifier = outbound.classifier;
    request.flow = outbound.flow;
    const reason = this.askBreaker(request, outbound, nowMs);
    if (reason !== Reason.none || (outbound.level === null && outbound.throttle === null)) return reason;
    return this.askTarget(request, outbound, nowMs);
  }

  private askBreaker(request: RequestView, outbound: CompiledOutbound, nowMs: number): number {
    const { breaker } = outbound;
    if (breaker === null) return Reason.none;
    const waitMs = breaker.tryAcquire(nowMs);
    if (waitMs > 0) {
      if (!outbound.shadow) {
        request.retryAfterMs = waitMs;
        return breaker.refusalReason;
      }
      countWouldReject(request, breaker.refusalReason);
      return Reason.none;
    }
    request.breaker = breaker;
    request.isProbe = breaker.lastAcquireWasProbe;
    request.generation = breaker.generation;
    request.watched = breaker.watch(nowMs);
    return Reason.none;
  }

  /** What the target said of itself: which priorities it takes in, and how much it sheds. */
  private askTarget(request: RequestView, outbound: CompiledOutbound, nowMs: number): number {
    const { level, shadow } = outbound;
    request.retryAfterMs = shedRetryAfterMs;
    if (level !== null) {
      const priority = priorityOf(request.tier, request.userLevel);
      request.storedLevel = level;
      if (!level.admits(priority, nowMs)) {
        if (!shadow) return Reason.upstreamLevel;
        countWouldReject(request, Reason.upstreamLevel);
      } else if (level.isProbe(priority)) request.standsFor = 1 + level.takeKept();
    }
    return this.askThrottle(request, outbound, request.tier, nowMs);
  }

  private askThrottle(request: RequestView, outbound: CompiledOutbound, tier: number, nowMs: number): number {
    const { throttle, shadow } = outbound;
    if (throttle === null) return Reason.none;
    if (throttle.tryPass(tier, this.options.random, nowMs)) {
      request.throttle = throttle;
      request.throttleTier = tier;
    } else if (shadow) countWouldReject(request, Reason.clientThrottle);
    else return Reason.clientThrottle;
    return Reason.none;
  }

  pick(request: RequestView, attempt: AttemptView): string {
    if (request.throttle !== null) {
      attempt.throttle = request.throttle;
      attempt.throttleTier = request.throttleTier;
      request.throttle = null;
    }
    if (request.breaker !== null) {
      attempt.breaker = request.breaker;
      attempt.isProbe = request.isProbe;
      attempt.generation = request.generation;
      attempt.watched = request.watched;
      request.breaker = null;
    }
    const { target } = request;
    if (target === null) return '';
    const { nowMs } = this.options.clock;
    const { cluster } = target;
    const { endpoints } = target.policy.outbound;
    cluster.obey(endpoints, nowMs);
    const endpoint = cluster.pick(nowMs, attempt.avoid);
    if (endpoint === undefined) return '';
    if (endpoint.breaker !== null && !this.acquireOf(endpoint, endpoint.breaker, request, attempt)) return '';
    attempt.readsLoad = cluster.readsReports;
    attempt.endpoint = endpoint;
    endpoint.begin(nowMs);
    return endpoint.dialAddress;
  }

  /** Of an endpoint that has a breaker of its own. One that is open was picked because all of them are. */
  private acquireOf(endpoint: Endpoint, breaker: Breaker, request: RequestView, attempt: AttemptView): boolean {
    // The breaker of a route has let it pass, and hears how it went.
    if (attempt.breaker !== null) return true;
    const waitMs = breaker.tryAcquire(this.options.clock.nowMs);
    if (waitMs > 0) {
      if (endpoint.obeysBreaker) {
        attempt.refusal = breaker.refusalReason;
        request.retryAfterMs = waitMs;
        return false;
      }
      countWouldReject(request, breaker.refusalReason);
      return true;
    }
    attempt.breaker = breaker;
    attempt.isProbe = breaker.lastAcquireWasProbe;
    attempt.generation = breaker.generation;
    attempt.watched = breaker.watch(this.options.clock.nowMs);
    return true;
  }

  protocolFor(request: RequestView): number {
    return this.options.upstreamProtocol(request.protocol);
  }

  forwardedHead(request: RequestView, attempt: AttemptView): HeaderList {
    const { meshToken, tells } = this.options;
    const isRetry = attempt.number > 1;
    let { head } = request;
    if (tells && request.carries) head = headForMesh(head, request, meshToken);
    else if (meshToken !== null) head = meshToken.add(head);
    if (isRetry) head = headOfRetry(head, attempt.number);
    else if (request.isRetry && tells) head = belowRetry(head);
    if (request.parking !== null) head = head.with({ set: [[idempotencyKey, request.parking.key]] });
    const endMs = endOf(request, attempt);
    if (endMs === Number.POSITIVE_INFINITY) return head;
    return withTimeLeft(head, Math.max(1, endMs - this.options.clock.nowMs), request.timeoutHeader);
  }

  answerHead({ storedLevel }: RequestView, attempt: AttemptView | null, list: HeaderList): HeaderList {
    if (attempt !== null && attempt.breaker !== null) {
      attempt.watched = attempt.breaker.conditions.answerBegins(attempt.watched, attempt.generation);
    }
    if (storedLevel === null || attempt === null || attempt.endpoint === null) return list;
    const level = levelTold(list);
    storedLevel.onTold(level, attempt.endpoint, this.options.clock.nowMs);
    return level === levelCount ? list : withLevel(list, levelCount);
  }

  answerTrailers(_request: RequestView, list: HeaderList): HeaderList {
    return list;
  }

  release(_request: RequestView, attempt: AttemptView): void {
    const { endpoint, breaker } = attempt;
    if (endpoint === null) return;
    endpoint.inFlight--;
    endpoint.recordNothing();
    attempt.endpoint = null;
    if (breaker === null || breaker !== endpoint.breaker) return;
    attempt.breaker = null;
    const { isProbe, generation, watched } = attempt;
    breaker.record(Outcome.ignored, 0, isProbe, generation, this.options.clock.nowMs, watched);
  }

  wouldAdmit(_request: RequestView, _nowMs: number): void {}

  wouldRefuse(_request: RequestView, _reason: number): void {}

  refused(reason: number, isRequest: boolean): void {
    countRefused(this.options.unrouted, reason, isRequest);
  }

  /** A probe that begins to be answered well has proved what it was to prove; a stream may go on for hours. */
  probeAnswered(request: RequestView, attempt: AttemptView): void {
    const { breaker } = attempt;
    if (breaker === null || attempt.status >= 400) return;
    attempt.breaker = null;
    const { nowMs } = this.options.clock;
    breaker.record(Outcome.success, nowMs - attempt.startedMs, true, attempt.generation, nowMs);
    request.target?.onProbe?.();
  }

  answered(): void {}

  lingers(): boolean {
    return false;
  }

  settleAttempt({ target }: RequestView, attempt: AttemptView, outcome: number, reason: number): void {
    const { nowMs } = this.options.clock;
    const latencyMs = (attempt.answeredMs > 0 ? attempt.answeredMs : nowMs) - attempt.startedMs;
    const { endpoint, breaker, throttle } = attempt;
    if (throttle !== null) {
      attempt.throttle = null;
      throttle.record(attempt.throttleTier, reason === Reason.none && outcome === Outcome.ignored, nowMs);
    }
    if (endpoint !== null && target !== null) {
      endpoint.inFlight--;
      attempt.endpoint = null;
      if (recordReach(endpoint, attempt, reason, nowMs)) target.cluster.warm(endpoint, nowMs);
      if (outcome === Outcome.failure && reason !== Reason.upstreamConnect) endpoint.failures++;
      // What said nothing, since the caller left or we refused, is no answer.
      if (reason === Reason.upstreamConnect) target.cluster.recordUnreachable(endpoint, nowMs);
      else if (saysNoRoom(attempt.responseReason))
        target.cluster.recordNoRoom(endpoint, latencyMs, attempt.load, nowMs);
      else if (outcome !== Outcome.ignored || attempt.status > 0) {
        target.cluster.recordAnswer(endpoint, outcome, latencyMs, attempt.load, nowMs);
      }
      const isSlow = breaker?.conditions.isSlow(latencyMs) ?? false;
      // What began before the fleet let requests through again says nothing about now.
      if (breaker === null || breaker.countsForFleet(attempt.generation)) {
        this.count(attempt, target, endpoint.address, outcome, latencyMs, isSlow);
      }
    }
    if (breaker === null) return;
    attempt.breaker = null;
    const seen = endpoint === null ? Outcome.ignored : outcome;
    breaker.record(seen, latencyMs, attempt.isProbe, attempt.generation, nowMs, attempt.watched);
    if (attempt.isProbe) target?.onProbe?.();
  }

  settle(request: RequestView, outcome: number, reason: number): void {
    const nowMs = this.options.clock.nowMs;
    const durationMs = nowMs - request.startedMs;
    if (request.traffic !== null) countEnd(request.traffic, request.counts, outcome, reason, durationMs);
    countLate(request, nowMs);
    this.giveBack(request);
  }

  /** What was taken for an attempt that never began. */
  private giveBack(request: RequestView): void {
    const { breaker, throttle, isProbe, generation, watched } = request;
    const { nowMs } = this.options.clock;
    if (throttle !== null) {
      request.throttle = null;
      throttle.record(request.throttleTier, false, nowMs);
    }
    if (breaker === null) return;
    request.breaker = null;
    breaker.record(Outcome.ignored, nowMs - request.startedMs, isProbe, generation, nowMs, watched);
  }

  /** The evidence for the fleet: what this caller saw of the target. */
  private count(
    attempt: AttemptView,
    target: Target,
    address: string,
    outcome: number,
    latencyMs: number,
    isSlow: boolean,
  ): void {
    if (outcome === Outcome.ignored) {
      // The one that was too late in a race says nothing.
      if (attempt.place === AttemptPlace.lost) return;
      if (attempt.status === 0) target.cluster.counts.recordLocalFailure();
      else target.cluster.counts.recordShed();
      return;
    }
    target.cluster.counts.recordOutcome(outcome, latencyMs, address, isSlow);
    if (outcome === Outcome.failure) target.onFailure?.();
  }
}

/** When the attempt is given up; Infinity = never. */
function endOf({ deadlineMs, retryPolicy }: RequestView, { startedMs }: AttemptView): number {
  const endMs = deadlineMs > 0 ? deadlineMs : Number.POSITIVE_INFINITY;
  if (retryPolicy === null || retryPolicy.tryTimeoutMs === 0) return endMs;
  return Math.min(endMs, startedMs + retryPolicy.tryTimeoutMs);
}
