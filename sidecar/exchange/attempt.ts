/**
 * One attempt at an answer: an endpoint, a connection to it, a stream, and what came back. It hears the upstream's stream
 * and passes on what its request (exchange.ts) has to decide; content goes straight between the two streams.
 *
 *   connecting ──▶ open ──▶ over
 *       ▲            │
 *       └── moves ───┘   its server says that nobody looked at it: the same attempt goes on elsewhere
 *
 * What was taken for an attempt (a place at the endpoint, the breaker's slot) is given back once, in
 * `Side.settleAttempt`, whatever becomes of the request.
 */
import { Pool } from '../../proto/kernel/pool.ts';
import { Reason } from '../../proto/reasons.ts';
import { Tier } from '../../proto/tiers.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { ResetCause, type StreamHandler } from '../http2/stream.ts';
import type { FlowSettings } from '../policy/compiled.ts';
import type { Breaker } from '../resilience/breaker.ts';
import type { ClientThrottle } from '../resilience/client-throttle.ts';
import { CallWatch } from '../resilience/overdue-calls.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import { orcaField } from '../routing/orca.ts';
import { countWouldReject } from './accounting.ts';
import type { AttemptView, ExchangeContext, LeftBehind, RequestView, Side } from './context.ts';
import type { ContentSink, HttpStream, UpstreamConnection, UpstreamWaiter } from './http-stream.ts';
import { StreamFlow } from './stream-flow.ts';

/** The request, as its attempts see it. */
export interface AttemptOwner extends RequestView {
  readonly context: ExchangeContext;
  readonly side: Side;
  readonly down: HttpStream;
  /** Nothing of it is to follow its head, and nothing waits. */
  readonly isHeadOnly: boolean;
  /** There is a stream now: content that waits may go. */
  onAttemptOpen(attempt: Attempt): void;
  /** No connection; or none that can carry it. */
  onAttemptFailed(attempt: Attempt, reason: number, retryAfterMs: number): void;
  onAnswerHead(attempt: Attempt, list: HeaderList, endStream: boolean): void;
  onAnswerEnd(attempt: Attempt): void;
  onAttemptReset(attempt: Attempt, code: number, cause: number): void;
  /** Lets what was sent wait again, for another stream. False when it is not all there any more. */
  takeBack(): boolean;
  onStalled(): void;
}

/** Where an attempt stands among those of its request. */
export const AttemptPlace = {
  /** Its end is the request's. */
  main: 0,
  /** A hedge: it has a copy of the content, and its answer counts if it comes first. */
  beside: 1,
  /** Another one answered first. */
  lost: 2,
} as const;

const AttemptState = { connecting: 0, open: 1, over: 2 } as const;

/** A request that a server refused is sent again this often. */
const resendsMax = 2;
/** One that a connection left behind when it was told to go (GOAWAY) moves on this often: no server has seen it. */
const movesMax = 20;
/** A MB of attempts that wait for their next use. */
const idleAttemptsMax = 4096;
/** Advice when nothing could be reached: endpoints come back in seconds, not in milliseconds. */
export const connectRetryAfterMs = 1000;

export const idleAttempts = new Pool<Attempt>(idleAttemptsMax);

export function openAttempt(owner: AttemptOwner): Attempt {
  const used = idleAttempts.take();
  if (used === undefined) return new Attempt(owner);
  used.open(owner);
  return used;
}

export class Attempt implements AttemptView, StreamHandler, UpstreamWaiter {
  address = '';
  /** 1 = the first. */
  number = 1;
  /** An address that has just failed; '' = none. */
  avoid = '';
  place: number = AttemptPlace.main;
  leftBehind: LeftBehind | null = null;
  endpoint: Endpoint | null = null;
  throttle: ClientThrottle | null = null;
  throttleTier: number = Tier.normal;
  breaker: Breaker | null = null;
  isProbe = false;
  generation = 0;
  watched = CallWatch.none;
  startedMs: number;
  status = 0;
  grpcStatus = '';
  responseReason = '';
  connectionLost = false;
  refusal: number = Reason.noEndpoints;
  answeredMs = 0;
  readsLoad = false;
  load = '';
  forwardedMs = 0;
  isAnswered = false;
  isReset = false;
  up: HttpStream | null = null;
  /** Where the request's content goes: the stream itself, unless the policy puts something in between. */
  toUp: ContentSink | null = null;

  private owner: AttemptOwner;
  private toDown: ContentSink;
  private shaping: StreamFlow | null = null;
  private state: number = AttemptState.connecting;
  private connectingMs = 0;
  private resends = 0;
  private moves = 0;

  constructor(owner: AttemptOwner) {
    this.owner = owner;
    this.startedMs = owner.context.clock.nowMs;
    this.toDown = owner.down;
  }

  open(owner: AttemptOwner): void {
    this.owner = owner;
    this.startedMs = owner.context.clock.nowMs;
    this.toDown = owner.down;
  }

  /** Both sides of its one stream have ended, in order, and nothing stands in between. */
  get isPlain(): boolean {
    if (this.isReset || this.shaping !== null || this.moves > 0 || this.resends > 0) return false;
    return this.up?.isClosed === true;
  }

  /** Its request, which is the last to know of it, has done with it. */
  retire(): void {
    const { up } = this;
    this.clear();
    idleAttempts.give(this);
    up?.release?.();
  }

  get isOpen(): boolean {
    return this.state === AttemptState.open;
  }

  get isOver(): boolean {
    return this.state === AttemptState.over;
  }

  /** Goes to the endpoint that the side picks. */
  begin(): void {
    const { owner } = this;
    const { context, side } = owner;
    const address = side.pick(owner, this);
    if (address === '') {
      const waitMs = this.refusal === Reason.noEndpoints ? connectRetryAfterMs : owner.retryAfterMs;
      return owner.onAttemptFailed(this, this.refusal, waitMs);
    }
    this.address = address;
    this.connectingMs = context.clock.nowMs;
    context.upstreams.connect(address, side.protocolFor(owner), owner.connectTimeoutMs, this);
  }

  /** What the answer says about the service, once its head, or its trailers where they count, are here. */
  outcome(): number {
    return this.owner.classifier.outcomeOf(this.status, this.grpcStatus, this.responseReason);
  }

  /** Nobody wants its answer any more. */
  abandon(code: number): void {
    this.shaping?.stop();
    this.toUp = null;
    if (this.up !== null) {
      if (this.owner.side.lingers(this.owner, this, this.up)) this.up = null;
      else this.up.reset(code);
    } else if (this.state === AttemptState.connecting && this.address !== '') {
      const { context, side } = this.owner;
      context.upstreams.cancel(this.address, side.protocolFor(this.owner), this);
    }
  }

  /** Its answer, and the credit for the content that goes to it, are the request's. */
  adopt(): void {
    this.place = AttemptPlace.main;
    const { up } = this;
    if (up === null || up.source === this.owner.down) return;
    up.source = this.owner.down;
    this.owner.down.source = up;
  }

  /** Content passes there too, on its way to the caller. */
  passThrough(sinkBefore: (next: ContentSink) => ContentSink): void {
    this.toDown = sinkBefore(this.toDown);
  }

  /** What went through so far is all that will. */
  stopContent(): void {
    this.shaping?.stop();
  }

  /** Gives back what was taken for it, once. */
  settle(outcome: number, reason: number): void {
    if (this.state === AttemptState.over) return;
    this.state = AttemptState.over;
    this.owner.side.settleAttempt(this.owner, this, outcome, reason);
  }

  // ── The connection ──────────────────────────────────────────────────────────────────────────────────────────────

  onConnection(connection: UpstreamConnection): void {
    if (this.state !== AttemptState.connecting) return;
    const { owner } = this;
    if (owner.head.protocol !== '' && !connection.takesExtendedConnect) {
      return owner.onAttemptFailed(this, Reason.unsupported, 0);
    }
    this.state = AttemptState.open;
    this.forwardedMs = owner.context.clock.nowMs;
    if (owner.shadowConnectTimeoutMs > 0) this.judgeConnecting(owner.shadowConnectTimeoutMs);
    const up = connection.request(owner.side.forwardedHead(owner, this), owner.isHeadOnly, this);
    // It may have ended already.
    if (this.isOver) return;
    this.up = up;
    this.toUp = up;
    if (this.place === AttemptPlace.main) this.adopt();
    if (owner.flow !== null) this.shape(owner.flow, up);
    owner.onAttemptOpen(this);
  }

  onConnectFailed(reason: number, _detail: string): void {
    if (this.state !== AttemptState.connecting) return;
    this.owner.onAttemptFailed(this, reason, connectRetryAfterMs);
  }

  /** In shadow it had the time that connections have without a policy. */
  private judgeConnecting(timeoutMs: number): void {
    if (this.forwardedMs - this.connectingMs > timeoutMs) countWouldReject(this.owner, Reason.upstreamConnect);
  }

  private shape(settings: FlowSettings, up: HttpStream): void {
    const { context, down, head, tier, traffic } = this.owner;
    if (traffic === null) return;
    const onStalled = (): void => this.owner.onStalled();
    this.shaping = new StreamFlow({ context, settings, isGrpc: head.isGrpc, tier, traffic, down, up, onStalled });
    this.toUp = this.shaping.toUp;
    this.toDown = this.shaping.toDown;
  }

  // ── The upstream's stream ───────────────────────────────────────────────────────────────────────────────────────

  onHeaders(list: HeaderList, endStream: boolean): void {
    if (list.status >= 200) {
      this.status = list.status;
      if (endStream) this.grpcStatus = list.grpcStatus;
      if (list.status >= 500 || (endStream && list.grpcStatus !== ''))
        this.responseReason = list.get('weir-reason') ?? '';
      if (this.readsLoad) this.load = list.get(orcaField) ?? '';
      // The head of a gRPC answer may come long before the work is done: its first message counts.
      if (endStream || !this.owner.head.isGrpc) this.answer(list, endStream);
    }
    const { owner } = this;
    owner.onAnswerHead(this, list.status >= 200 ? owner.side.answerHead(owner, this, list) : list, endStream);
  }

  onData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.answeredMs === 0) this.onAnswerBegins();
    if (!this.isAnswered) this.answer(null, endStream);
    if (this.owner.down.isClosed) this.up?.credit(end - start);
    else this.toDown.sendData(buf, start, end, endStream);
    if (endStream) this.owner.onAnswerEnd(this);
  }

  /** Its content comes: how long a stream takes in the end says nothing about the service. */
  private onAnswerBegins(): void {
    this.answeredMs = this.owner.context.clock.nowMs;
    if (this.isProbe) this.owner.side.probeAnswered(this.owner, this);
  }

  onTrailers(list: HeaderList): void {
    if (this.readsLoad) this.load = list.get(orcaField) ?? this.load;
    this.grpcStatus = list.grpcStatus;
    if (list.grpcStatus !== '' && list.grpcStatus !== '0') this.responseReason = list.get('weir-reason') ?? '';
    this.toDown.sendTrailers(this.owner.side.answerTrailers(this.owner, list));
    this.owner.onAnswerEnd(this);
  }

  onReset(code: number, cause: number): void {
    this.isReset = true;
    if (cause === ResetCause.connection) this.connectionLost = true;
    if (this.state === AttemptState.over) {
      // The answer is complete; the upstream only says that it wants no more of the request (RFC 9113 §8.1).
      if (this.shaping === null) this.owner.down.reset(ErrorCode.noError);
      return;
    }
    const unprocessed =
      cause === ResetCause.unprocessed || (code === ErrorCode.refusedStream && cause === ResetCause.peer);
    if (unprocessed && this.status === 0 && this.moveOn(cause)) return;
    this.owner.onAttemptReset(this, code, cause);
  }

  private answer(list: HeaderList | null, endStream: boolean): void {
    this.isAnswered = true;
    this.owner.side.answered(this.owner, this, list, endStream);
  }

  /** Goes elsewhere: nobody has looked at it. False when it cannot. */
  private moveOn(cause: number): boolean {
    const mayGo = cause === ResetCause.unprocessed ? this.moves++ < movesMax : this.resends++ < resendsMax;
    if (!mayGo || !this.owner.takeBack()) return false;
    this.up = null;
    this.isReset = false;
    this.toUp = null;
    this.toDown = this.owner.down;
    this.shaping?.stop();
    this.shaping = null;
    this.owner.side.release(this.owner, this);
    this.state = AttemptState.connecting;
    this.address = '';
    this.begin();
    return true;
  }

  private clear(): void {
    this.address = '';
    this.number = 1;
    this.avoid = '';
    this.place = AttemptPlace.main;
    this.endpoint = null;
    this.throttle = null;
    this.throttleTier = Tier.normal;
    this.breaker = null;
    this.isProbe = false;
    this.generation = 0;
    this.watched = CallWatch.none;
    this.status = 0;
    this.grpcStatus = '';
    this.responseReason = '';
    this.connectionLost = false;
    this.refusal = Reason.noEndpoints;
    this.answeredMs = 0;
    this.readsLoad = false;
    this.load = '';
    this.forwardedMs = 0;
    this.connectingMs = 0;
    this.isAnswered = false;
    this.isReset = false;
    this.leftBehind = null;
    this.up = null;
    this.toUp = null;
    this.state = AttemptState.connecting;
  }
}
