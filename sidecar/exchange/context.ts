/**
 * What an exchange and its side know of each other and of the proxy around them. Everything here is facts and
 * interfaces; the edge fills them in.
 */
import type { Random } from '../../proto/kernel/random.ts';
import type { TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import type { Admission, Waiter } from '../admission/admission.ts';
import type { LevelControl } from '../admission/level-control.ts';
import type { FlowBudget } from '../http2/flow-budget.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { Fallback, FlowSettings } from '../policy/compiled.ts';
import type { RateLimitSignal } from '../policy/rate-limit-signals.ts';
import type { RouteCounts } from '../policy/route-counts.ts';
import type { Breaker } from '../resilience/breaker.ts';
import type { Classifier } from '../resilience/classifier.ts';
import type { ClientThrottle } from '../resilience/client-throttle.ts';
import type { RetryPolicy } from '../resilience/retry-policy.ts';
import type { StoredLevel } from '../resilience/stored-level.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import type { HttpStream, Upstreams } from './http-stream.ts';
import type { LoadMeter } from './load-meter.ts';
import type { MayPark } from './parker.ts';
import type { Target } from './targets.ts';
import type { TrafficStats } from './traffic-stats.ts';
import type { Turn } from './turn.ts';

/** The loop's clock: set once at each entry from the edge, so that one turn sees one time. */
export interface Clock {
  /** Monotonic, fractional ms. */
  nowMs: number;
}

/** A request as its side sees it, and what the side took for it: all of it is given back in `Side.settle`. */
export interface RequestView extends Waiter {
  readonly head: HeaderList;
  /** Where it came from; see Peer. */
  readonly peerAddress: string;
  /** Who the caller proved to be, by mutual TLS; '' = nobody in particular. */
  readonly peerIdentity: string;
  readonly startedMs: number;
  readonly protocol: number;
  readonly status: number;
  readonly grpcStatus: string;
  /** 0 most important … 5; see proto/tiers.ts. */
  tier: number;
  /** 0 to 127, within the tier. */
  userLevel: number;
  /** On whose account it comes; '' = nobody's in particular. */
  tenant: string;
  /** Its rule of priorities says that it can be done without. */
  isEssential: boolean;
  /** A sidecar of the mesh sent it. */
  isFromMesh: boolean;
  /** Whoever sent it has sent it before; of a call that the app makes, the request that it is for. */
  isRetry: boolean;
  /** What its sender kept back for a level, and itself. */
  standsFor: number;
  /** The app's calls for it are linked to it by its trace. */
  isLinked: boolean;
  /** Tier, user level and tenant go along to the target. */
  carries: boolean;
  /** Counts it, for what callers are told of the load; null = nobody is told. */
  load: LoadMeter | null;
  /** Its caller is. */
  hearsLoad: boolean;
  /** By which it was judged, and of which its caller is told. */
  levels: LevelControl | null;
  /** When it passed the level, which waits to hear what became of it; -1 = it does not. */
  passedLevelMs: number;
  /** What answers say of the target's level goes there. */
  storedLevel: StoredLevel | null;
  /** It let an attempt that has not begun pass, as one of this tier, and is owed its end. */
  throttle: ClientThrottle | null;
  throttleTier: number;
  /** Monotonic; 0 = none. */
  deadlineMs: number;
  /** When it would have been due, but for shadow; 0 = as it is. */
  shadowDeadlineMs: number;
  /** The field that tells how much time is left where it is not gRPC; '' = none. */
  timeoutHeader: string;
  connectTimeoutMs: number;
  /** After which a connection would have been given up, but for shadow; 0 = as it is. */
  shadowConnectTimeoutMs: number;
  /** null = one attempt. */
  retryPolicy: RetryPolicy | null;
  /** What the answer will mean. */
  classifier: Classifier;
  traffic: TrafficStats | null;
  /** What its route counts; null where the policy has no route for it. */
  counts: RouteCounts | null;
  /** What answered in its place, in the order of `fallbackKinds`; -1 = nothing did. */
  fallbackKind: number;
  /** What answers when the target cannot; null = nothing. */
  fallback: Fallback | null;
  /** It may be parked; null = it may not. */
  parking: MayPark | null;
  admission: Admission | null;
  /** How its content may flow; null = as it comes. */
  flow: FlowSettings | null;
  holdsPermit: boolean;
  /** When it went on to the service, by its permit or in shadow. */
  admittedMs: number;
  /** It gave its permit back for a place among the long streams. */
  isStream: boolean;
  /** When the last of its content came; -1 = more may. */
  readonly endedMs: number;
  target: Target | null;
  /** What a refusal advises, ms; set by whoever refuses. */
  retryAfterMs: number;
  /** What the answer tells of the rate limits, whoever gives it; null = nothing. */
  limitSignal: RateLimitSignal | null;
  /** While it waits for its turn at a rate limit. */
  turn: Turn | null;
  /** Where it was sent; '' before that. */
  readonly address: string;
  /** What the breaker gave for an attempt that has not begun. */
  breaker: Breaker | null;
  isProbe: boolean;
  generation: number;
  /** What the breaker knows the call by. */
  watched: number;
  /** The answer to a request that its side kept waiting: a Decision, as of `admit`. */
  onDecision(decision: number): void;
}

/** Work that goes on in the app although nobody waits for it. */
export interface LeftBehind {
  /** How long the app took since then is to be said of it once it is over; -1 = it was said. */
  sampleFromMs: number;
}

/** One attempt at an answer, as the side sees it, and what the side took for it: given back in `Side.settleAttempt`. */
export interface AttemptView {
  /** 1 = the first. */
  readonly number: number;
  /** An address that has just failed; '' = none. */
  readonly avoid: string;
  /** `AttemptPlace`. */
  readonly place: number;
  readonly startedMs: number;
  /** Of its own answer; 0 = none came. */
  readonly status: number;
  readonly grpcStatus: string;
  /** `weir-reason` of the response when it failed: who refused it further on. */
  readonly responseReason: string;
  /** The connection that carried it ended under it. */
  readonly connectionLost: boolean;
  /** When its content began; 0 = it has none, or not yet. */
  readonly answeredMs: number;
  /** What the server said of its load; '' = nothing, or nobody asked (readsLoad). */
  readonly load: string;
  readsLoad: boolean;
  /** Why there is no endpoint; set by `pick`, with the request's `retryAfterMs`. */
  refusal: number;
  /** When its stream was opened; 0 = not yet. */
  readonly forwardedMs: number;
  /** Its first answer is here: see Side.answered. */
  readonly isAnswered: boolean;
  readonly isReset: boolean;
  /** null: nothing of it is. */
  leftBehind: LeftBehind | null;
  endpoint: Endpoint | null;
  throttle: ClientThrottle | null;
  throttleTier: number;
  breaker: Breaker | null;
  isProbe: boolean;
  generation: number;
  /** What the breaker knows the call by. */
  watched: number;
}

/** One direction's steps, in order. */
export interface Side {
  readonly name: 'inbound' | 'outbound';
  /** A Decision: 0 go on, -1 queued, > 0 a reason to refuse. */
  admit(request: RequestView): number;
  /** The endpoint's address; '' when there is none. The attempt takes over what `admit` took for it. */
  pick(request: RequestView, attempt: AttemptView): string;
  /** Why the breaker, or the target's level, would refuse another attempt; 0 = they would not. Takes nothing. */
  refusalAgain(request: RequestView): number;
  /** Asks the throttle for another attempt, and counts it; false = it is not to be made. */
  passesAgain(request: RequestView): boolean;
  /** Takes for another attempt what `admit` took for the first: 0, or a reason to refuse. */
  admitAgain(request: RequestView): number;
  /** The request that it was made for is a retry: the layer above retries, this one does not. */
  isRetriedAbove(request: RequestView): boolean;
  /** Turns the request to another service, for which it is admitted anew; a Decision. Its attempts are over. */
  turnTo(request: RequestView, service: string): number;
  protocolFor(request: RequestView): number;
  /** The head as it goes on. */
  forwardedHead(request: RequestView, attempt: AttemptView): HeaderList;
  /** An answer as the caller gets it. `attempt`: whose it is; null = our own refusal. */
  answerHead(request: RequestView, attempt: AttemptView | null, list: HeaderList): HeaderList;
  /** The trailers of an answer as the caller gets them. */
  answerTrailers(request: RequestView, list: HeaderList): HeaderList;
  /** The attempt goes elsewhere: gives back what `pick` took. */
  release(request: RequestView, attempt: AttemptView): void;
  /** The answer to a probe of a breaker begins. */
  probeAnswered(request: RequestView, attempt: AttemptView): void;
  /** The first of its answer: the head, of gRPC the first message or, without one, the trailers (`head` is null then). */
  answered(request: RequestView, attempt: AttemptView, head: HeaderList | null, endStream: boolean): void;
  /** Nobody wants its answer. True: the side goes on listening to `up` and resets it in its own time. */
  lingers(request: RequestView, attempt: AttemptView, up: HttpStream): boolean;
  /** The attempt is over. */
  settleAttempt(request: RequestView, attempt: AttemptView, outcome: number, reason: number): void;
  /** The request is over, as its caller saw it; its attempts were settled before. */
  settle(request: RequestView, outcome: number, reason: number): void;
  /** In shadow: what is on its way would have got its turn now. */
  wouldAdmit(request: RequestView, nowMs: number): void;
  /** In shadow: what is on its way would have been refused. */
  wouldRefuse(request: RequestView, reason: number): void;
  /** Counts what was refused before it could become a request; `isRequest` when nothing else counts it as one. */
  refused(reason: number, isRequest: boolean): void;
}

/** Told about every request's end; for logs. */
export interface Observer {
  onSettled(request: RequestView, side: Side, outcome: number, reason: number): void;
}

export interface ExchangeContext {
  readonly budget: FlowBudget;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly upstreams: Upstreams;
  readonly observer: Observer;
  /** Jitter. */
  readonly random: Random;
}
