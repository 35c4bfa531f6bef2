/**
 * The inbound steps, which protect the service's own app (DESIGN order): gate → mesh token → deadline → rate limits →
 * priority and level → concurrency and queue → app. Settings come from the policy in force when the request arrived; it
 * keeps them to its end, whatever is swapped meanwhile.
 */
import type { TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import { Reason } from '../../proto/reasons.ts';
import { priorityOf } from '../../proto/tiers.ts';
import { Decision } from '../admission/admission.ts';
import type { DeliveryCredit } from '../admission/delivery-credit.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { type CompiledInbound, LoadTo } from '../policy/compiled.ts';
import type { LivePolicy } from '../policy/swap.ts';
import { Outcome } from '../resilience/outcome.ts';
import { countArrival, countEnd, countLate, countRefused, countWouldReject } from './accounting.ts';
import type { AttemptView, Clock, RequestView, Side } from './context.ts';
import { setDeadline } from './deadline-of.ts';
import type { Gate } from './gate.ts';
import type { HttpStream } from './http-stream.ts';
import { LoadMeter } from './load-meter.ts';
import type { MeshToken } from './mesh-token.ts';
import { saysRetry, withTimeLeft } from './onward-head.ts';
import { leaveBehind, onAttemptOver, onFirstAnswer } from './permit.ts';
import { RateLimitStep } from './rate-limit-step.ts';
import type { RequestPriority } from './request-priority.ts';
import type { TrafficStats } from './traffic-stats.ts';
import type { Trust } from './trust.ts';
import { headForApp, withLevel, withLoad } from './weir-fields.ts';

export interface InboundOptions {
  readonly clock: Clock;
  /** For requests that wait for their turn, and those left behind in the app. */
  readonly wheel: TimerWheel;
  readonly policy: LivePolicy;
  readonly traffic: TrafficStats;
  readonly gate: Gate;
  /** How many requests the app wants. */
  readonly delivery: DeliveryCredit;
  readonly appAddress: string;
  /** Which protocol the app is spoken to in, given the caller's. */
  readonly appProtocol: (callers: number) => number;
  /** null when the listener is on loopback and no token was configured. */
  readonly meshToken: MeshToken | null;
  readonly trust: Trust;
  readonly priority: RequestPriority;
  /** That share the requests of the service evenly; default 1. */
  readonly threads?: number;
}

/** A level changes within a second. */
const levelRetryAfterMs = 1000;

export class InboundSide implements Side {
  readonly name = 'inbound';
  private readonly options: InboundOptions;
  private readonly rateLimits: RateLimitStep<RequestView>;
  /** What callers are told, where the policy says so. */
  private readonly load: LoadMeter;

  constructor(options: InboundOptions) {
    this.options = options;
    this.load = new LoadMeter(options.policy, options.threads ?? 1, options.clock.nowMs);
    this.rateLimits = new RateLimitStep({
      ...options,
      goOn: (request, inbound, nowMs) => this.enter(request, inbound, nowMs),
    });
  }

  admit(request: RequestView): number {
    const { clock, policy, traffic, meshToken } = this.options;
    const nowMs = clock.nowMs;
    request.traffic = traffic;
    countArrival(traffic);
    const refusal = this.options.gate.refusalOf(request);
    if (refusal !== Reason.none) return refusal;
    if (meshToken !== null && !meshToken.accepts(request.head)) return Reason.unauthenticated;
    request.isFromMesh = this.options.trust.isFromMesh(request.peerIdentity);
    request.isRetry = saysRetry(request.head, request.isFromMesh);
    const inbound = policy.inboundFor(request.head);
    if (inbound.loadTo !== LoadTo.nobody) this.weigh(request, inbound);
    request.counts = inbound.counts;
    request.flow = inbound.flow;
    request.classifier = inbound.classifier;
    setDeadline(request, inbound.deadline, nowMs);
    if (inbound.rateLimits.length > 0) {
      const decision = this.rateLimits.pass(request, inbound, 0, nowMs);
      if (decision !== Decision.admitted) return decision;
    }
    return this.enter(request, inbound, nowMs);
  }

  /** It counts for what callers are told of the load. */
  private weigh(request: RequestView, { loadTo }: CompiledInbound): void {
    request.load = this.load;
    request.load.begin();
    request.hearsLoad = loadTo === LoadTo.everybody || request.isFromMesh;
  }

  /** Into the service, or its queue. */
  private enter(request: RequestView, inbound: CompiledInbound, nowMs: number): number {
    const { admission } = inbound;
    if (inbound.priorities !== null || inbound.levels !== null) {
      const reason = this.judge(request, inbound, nowMs);
      if (reason !== Reason.none) return reason;
    }
    // By the limit's own word: the policy may have changed while the request waited for its turn.
    const shadow = admission?.isShadow ?? inbound.shadow;
    // Without a limit nothing waits. What the app wants is no policy, and holds in shadow, too.
    if ((admission === null || shadow) && !this.options.delivery.tryTake()) return Reason.paused;
    if (admission === null) return Decision.admitted;
    request.admission = admission;
    request.admittedMs = nowMs;
    const decision = admission.enter(request, nowMs);
    if (decision === Decision.admitted) request.holdsPermit = true;
    else if (decision !== Decision.queued) {
      if (shadow) this.wouldRefuse(request, decision);
      else request.retryAfterMs = admission.retryAfterMs(nowMs);
    }
    // In shadow its place in the queue stays behind, and hears what would have become of it.
    return shadow ? Decision.admitted : decision;
  }

  /** How important is it, and is that enough now? */
  private judge(request: RequestView, inbound: CompiledInbound, nowMs: number): number {
    const { levels, priorities, shadow } = inbound;
    this.options.priority.enter(request, priorities, nowMs);
    request.isLinked = priorities !== null;
    if (levels === null) return Reason.none;
    request.levels = levels;
    request.retryAfterMs = levelRetryAfterMs;
    if (!(inbound.essential && request.isEssential) && levels.isNonEssentialOff(nowMs)) {
      if (!shadow) return Reason.degraded;
      countWouldReject(request, Reason.degraded);
    } else if (levels.admits(priorityOf(request.tier, request.userLevel), request.standsFor, nowMs)) {
      request.passedLevelMs = nowMs;
    } else {
      if (!shadow) return Reason.shed;
      countWouldReject(request, Reason.shed);
    }
    return Reason.none;
  }

  private recordQueueing(request: RequestView, nowMs: number): void {
    request.levels!.recordQueueing(nowMs - request.passedLevelMs);
    request.passedLevelMs = -1;
  }

  /** It passed the level and never came to the app. Whoever went away of itself says nothing. */
  private countRefusedBehind(request: RequestView, reason: number): void {
    request.passedLevelMs = -1;
    if (reason !== Reason.cancelled) request.levels!.recordRefusedBehind();
  }

  pick(request: RequestView): string {
    const nowMs = this.options.clock.nowMs;
    // In shadow it waits on while the app works.
    if (request.passedLevelMs >= 0 && request.queueSlot < 0) this.recordQueueing(request, nowMs);
    if (request.isLinked || request.isRetry) this.options.priority.remember(request, nowMs);
    return this.options.appAddress;
  }

  /** Only callers turn to other services. */
  turnTo(): number {
    return Reason.noRoute;
  }

  protocolFor(request: RequestView): number {
    return this.options.appProtocol(request.protocol);
  }

  forwardedHead(request: RequestView): HeaderList {
    const head = headForApp(request.head, request.isFromMesh);
    if (request.deadlineMs === 0) return head;
    return withTimeLeft(head, Math.max(1, request.deadlineMs - this.options.clock.nowMs), request.timeoutHeader);
  }

  answerHead(request: RequestView, _attempt: AttemptView | null, list: HeaderList): HeaderList {
    const { levels, isFromMesh, head } = request;
    const isHeadOfMore = head.isGrpc && list.grpcStatus === '';
    const told = isHeadOfMore ? list : this.answerTrailers(request, list);
    return levels === null || !isFromMesh ? told : withLevel(told, levels.level);
  }

  /** What a gRPC server says of its load stands in the trailers (A51). */
  answerTrailers({ hearsLoad, load }: RequestView, list: HeaderList): HeaderList {
    return load === null || !hearsLoad ? list : withLoad(list, load.textAt(this.options.clock.nowMs));
  }

  refusalAgain(): number {
    return Reason.none;
  }

  passesAgain(): boolean {
    return true;
  }

  isRetriedAbove(): boolean {
    return false;
  }

  admitAgain(): number {
    return 0;
  }

  release(): void {}

  probeAnswered(): void {}

  answered(request: RequestView, attempt: AttemptView, head: HeaderList | null, endStream: boolean): void {
    if (request.admission !== null) onFirstAnswer(request, attempt, head, endStream, this.options.clock.nowMs);
  }

  lingers(request: RequestView, attempt: AttemptView, up: HttpStream): boolean {
    return request.admission !== null && leaveBehind(request, attempt, up, this.options);
  }

  settleAttempt(request: RequestView, attempt: AttemptView, _outcome: number, reason: number): void {
    if (request.admission !== null) onAttemptOver(request, attempt, reason, this.options.clock.nowMs);
  }

  wouldAdmit(request: RequestView, nowMs: number): void {
    if (request.passedLevelMs >= 0) this.recordQueueing(request, nowMs);
  }

  wouldRefuse(request: RequestView, reason: number): void {
    countWouldReject(request, reason);
    if (request.passedLevelMs >= 0) this.countRefusedBehind(request, reason);
  }

  refused(reason: number, isRequest: boolean): void {
    countRefused(this.options.traffic, reason, isRequest);
  }

  settle(request: RequestView, outcome: number, reason: number): void {
    const nowMs = this.options.clock.nowMs;
    countEnd(this.options.traffic, request.counts, outcome, reason, nowMs - request.startedMs);
    countLate(request, nowMs);
    if (request.passedLevelMs >= 0) {
      if (request.address === '') this.countRefusedBehind(request, reason);
      else this.recordQueueing(request, request.queueSlot >= 0 ? nowMs : request.admittedMs);
    }
    if (request.isLinked && reason === Reason.none) this.options.priority.answered(request, nowMs);
    const { admission, turn, load } = request;
    load?.end(request.address !== '', outcome === Outcome.failure);
    if (turn !== null) this.rateLimits.cancel(turn);
    if (admission === null) return;
    if (request.isStream) {
      request.isStream = false;
      admission.leaveStreams();
    }
    if (request.holdsPermit) {
      request.holdsPermit = false;
      load?.recordHeld(nowMs - request.admittedMs);
      admission.leave(nowMs, nowMs - request.admittedMs);
    } else if (request.queueSlot >= 0) admission.cancel(request, nowMs);
  }
}
