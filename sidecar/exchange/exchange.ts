/**
 * One request's life, from the head that came in to the last byte of its answer:
 *
 *   admitting ──▶ queued ──▶ connecting ──▶ forwarding ──▶ settled
 *       └─────────────┴────────── refused (one road: `refuse`) ──┘
 *
 * The exchange knows streams, not frames: data passes by credit, so a slow reader slows the writer and nothing piles up
 * here. What may be asked of a request in which order is the side's business (inbound.ts, outbound.ts); the exchange
 * makes sure that whatever happens, the outcome is settled exactly once and permits go back.
 */
import { Timer } from '../../proto/kernel/timer-wheel.ts';
import { Reason } from '../../proto/reasons.ts';
import type { Admission } from '../admission/admission.ts';
import { defaultWindowBytes, ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { SendQueue } from '../http2/send-queue.ts';
import { ResetCause, type StreamHandler } from '../http2/stream.ts';
import type { FlowSettings } from '../policy/compiled.ts';
import type { Breaker } from '../resilience/breaker.ts';
import { classifyGrpc, classifyHttp, Outcome } from '../resilience/outcome.ts';
import type { Endpoint } from '../routing/endpoint.ts';
import { outcomeOfReason } from './accounting.ts';
import { answerFor, grpcTrailersFor } from './answers.ts';
import type { ExchangeContext, RequestView, Side } from './context.ts';
import type { ContentSink, HttpStream, UpstreamConnection, UpstreamWaiter } from './http-stream.ts';
import type { Peer } from './peer.ts';
import { Replay } from './replay.ts';
import { resetTowardCaller, resetTowardUpstream } from './reset-codes.ts';
import { ResponseSide } from './response-side.ts';
import { StreamFlow } from './stream-flow.ts';
import type { Target } from './targets.ts';
import type { TrafficStats } from './traffic-stats.ts';

const Phase = { admitting: 0, queued: 1, connecting: 2, forwarding: 3, settled: 4 } as const;

/** A request that a server refused is sent again this often. */
const resendsMax = 2;
/** One that a connection left behind when it was told to go (GOAWAY) moves on this often: no server has seen it. */
const movesMax = 20;
/** Advice when nothing could be reached: endpoints come back in seconds, not in milliseconds. */
const connectRetryAfterMs = 1000;

export class Exchange extends Timer implements RequestView, StreamHandler, UpstreamWaiter {
  readonly context: ExchangeContext;
  readonly side: Side;
  readonly down: HttpStream;
  readonly head: HeaderList;
  readonly protocol: number;
  readonly peerAddress: string;
  readonly peerIdentity: string;
  startedMs: number;
  up: HttpStream | null = null;
  deadlineMs = 0;
  connectTimeoutMs = 1000;
  retryAfterMs = 0;
  traffic: TrafficStats | null = null;
  admission: Admission | null = null;
  flow: FlowSettings | null = null;
  holdsPermit = false;
  target: Target | null = null;
  endpoint: Endpoint | null = null;
  breaker: Breaker | null = null;
  isProbe = false;
  generation = 0;
  /** What this request may make us hold while it waits: its head, and a window of content still to come. */
  readonly bytes: number;
  queueSlot = -1;
  status = 0;
  grpcStatus = '';
  responseReason = '';
  connectionLost = false;

  address = '';

  /** Where content goes; the streams themselves unless the policy puts something in between. */
  private toUp: ContentSink | null = null;
  private toDown: ContentSink;
  private shaping: StreamFlow | null = null;
  private phase: number = Phase.admitting;
  private requestEnded: boolean;
  private headSent = false;
  private held: SendQueue | null = null;
  private requestTrailers: HeaderList | null = null;
  /** Since when a tunnel stands; 0 = none. */
  private stoodMs = 0;
  private resends = 0;
  private moves = 0;
  /** What was sent of the request's content; null while there was none. */
  private replay: Replay | null = null;

  constructor(
    context: ExchangeContext,
    side: Side,
    down: HttpStream,
    head: HeaderList,
    endStream: boolean,
    protocol: number,
    peer: Peer,
  ) {
    super();
    this.context = context;
    this.side = side;
    this.down = down;
    this.toDown = down;
    this.head = head;
    this.requestEnded = endStream;
    this.bytes = head.bytes + (endStream ? 0 : heldContentMax(head.contentLength));
    this.protocol = protocol;
    this.peerAddress = peer.address;
    this.peerIdentity = peer.identity;
    this.startedMs = context.clock.nowMs;
    down.handler = this;
  }

  get isSettled(): boolean {
    return this.phase === Phase.settled;
  }

  begin(): void {
    const decision = this.side.admit(this);
    if (decision === 0) this.forward();
    else if (decision < 0) {
      // The side may have admitted or refused already, on the way.
      if (this.phase === Phase.admitting) this.phase = Phase.queued;
    } else if (this.phase !== Phase.settled) this.refuse(decision, this.retryAfterMs);
    if (this.deadlineMs > 0 && this.phase !== Phase.settled) this.context.wheel.schedule(this, this.deadlineMs);
  }

  // ── Admission ───────────────────────────────────────────────────────────────────────────────────────────────────

  onAdmitted(_nowMs: number): void {
    this.holdsPermit = true;
    if (this.phase <= Phase.queued) this.forward();
  }

  onRefused(reason: number, nowMs: number): void {
    if (this.phase > Phase.queued) return;
    this.refuse(reason, this.admission === null ? 0 : this.admission.retryAfterMs(nowMs));
  }

  /** Sends the request on to the endpoint that the side picks. */
  private forward(): void {
    // We are a proxy for services, not a tunnel to wherever the caller likes (RFC 9110 §9.3.6).
    if (this.head.method === 'CONNECT' && this.head.protocol === '') return this.refuse(Reason.connectRefused, 0);
    const address = this.side.pick(this);
    if (address === '') return this.refuse(Reason.noEndpoints, connectRetryAfterMs);
    this.address = address;
    this.phase = Phase.connecting;
    this.context.upstreams.connect(address, this.side.protocolFor(this), this.connectTimeoutMs, this);
  }

  onConnection(connection: UpstreamConnection): void {
    if (this.phase !== Phase.connecting) return;
    if (this.head.protocol !== '' && !connection.takesExtendedConnect) return this.refuse(Reason.unsupported, 0);
    this.phase = Phase.forwarding;
    const held = this.held;
    const ends = this.requestEnded && held === null && this.requestTrailers === null;
    const up = connection.request(this.side.forwardedHead(this), ends, new ResponseSide(this));
    up.source = this.down;
    this.down.source = up;
    this.up = up;
    this.toUp = up;
    if (this.flow !== null) this.shape(this.flow, up);
    if (held !== null) {
      this.held = null;
      const bytes = Buffer.allocUnsafe(held.bytes);
      held.moveTo(bytes, 0, bytes.length);
      this.keepForReplay(bytes, 0, bytes.length);
      this.toUp.sendData(bytes, 0, bytes.length, this.requestEnded && this.requestTrailers === null);
    }
    if (this.requestTrailers !== null) this.toUp.sendTrailers(this.requestTrailers);
  }

  private shape(settings: FlowSettings, up: HttpStream): void {
    const { context, down } = this;
    const { isGrpc } = this.head;
    this.shaping = new StreamFlow({ context, settings, isGrpc, down, up, onStalled: () => this.onStalled() });
    this.toUp = this.shaping.toUp;
    this.toDown = this.shaping.toDown;
  }

  /** A reader took nothing for longer than the policy allows. */
  private onStalled(): void {
    this.context.budget.stallResets++;
    if (this.phase !== Phase.settled && !this.headSent) {
      this.up?.reset(ErrorCode.cancel);
      return this.refuse(Reason.flowControl, 0);
    }
    this.down.reset(ErrorCode.enhanceYourCalm);
    this.onReset(ErrorCode.cancel, ResetCause.flowControl);
  }

  onConnectFailed(reason: number, _detail: string): void {
    if (this.phase !== Phase.connecting) return;
    this.refuse(reason, connectRetryAfterMs);
  }

  // ── The caller's side ───────────────────────────────────────────────────────────────────────────────────────────

  /** Requests have no second head; only responses call this. */
  onHeaders(_list: HeaderList, _endStream: boolean): void {}

  onData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (endStream) this.requestEnded = true;
    if (this.toUp !== null && !this.toUp.isClosed) {
      if (!this.headSent) this.keepForReplay(buf, start, end);
      this.toUp.sendData(buf, start, end, endStream);
    } else if (this.phase < Phase.forwarding) {
      if (end > start) {
        this.held ??= new SendQueue(this.context.budget);
        this.held.append(buf, start, end);
      }
    } else this.down.credit(end - start);
  }

  onTrailers(list: HeaderList): void {
    this.requestEnded = true;
    this.requestTrailers = list;
    this.toUp?.sendTrailers(list);
  }

  /** The caller gave up, its connection is gone, or it took nothing for too long. */
  onReset(code: number, cause: number): void {
    this.shaping?.stop();
    this.up?.reset(resetTowardUpstream(code));
    if (this.phase === Phase.connecting) {
      this.context.upstreams.cancel(this.address, this.side.protocolFor(this), this);
    }
    this.settle(Outcome.ignored, cause === ResetCause.flowControl ? Reason.flowControl : Reason.cancelled);
  }

  // ── The upstream's side, told by ResponseSide ───────────────────────────────────────────────────────────────────

  onResponseHead(list: HeaderList, endStream: boolean): void {
    if (list.status >= 200) {
      this.status = list.status;
      this.headSent = true;
      this.dropReplay();
      if (endStream) this.grpcStatus = list.grpcStatus;
      if (list.status >= 500 || (endStream && list.grpcStatus !== ''))
        this.responseReason = list.get('weir-reason') ?? '';
      if (this.head.protocol !== '' && list.status < 300) this.onTunnelStands();
    }
    this.down.sendHeaders(list, endStream);
    if (endStream) this.onResponseEnd();
  }

  /** The deadline, and the time that counts, were the answer's: a tunnel stays for as long as both ends like. */
  private onTunnelStands(): void {
    this.context.wheel.cancel(this);
    this.stoodMs = this.context.clock.nowMs;
  }

  onResponseData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.down.isClosed) this.up?.credit(end - start);
    else this.toDown.sendData(buf, start, end, endStream);
    if (endStream) this.onResponseEnd();
  }

  onResponseTrailers(list: HeaderList): void {
    this.grpcStatus = list.grpcStatus;
    if (list.grpcStatus !== '' && list.grpcStatus !== '0') this.responseReason = list.get('weir-reason') ?? '';
    this.toDown.sendTrailers(list);
    this.onResponseEnd();
  }

  onResponseReset(code: number, cause: number): void {
    if (cause === ResetCause.connection) this.connectionLost = true;
    if (this.phase === Phase.settled) {
      // The answer is complete; the upstream only says that it wants no more of the request (RFC 9113 §8.1).
      if (this.shaping === null) this.down.reset(ErrorCode.noError);
      return;
    }
    const unprocessed =
      cause === ResetCause.unprocessed || (code === ErrorCode.refusedStream && cause === ResetCause.peer);
    if (unprocessed && !this.headSent && this.resend(cause)) return;
    const reason = reasonOfReset(cause);
    if (!this.headSent) return this.refuse(reason, reason === Reason.upstreamConnect ? connectRetryAfterMs : 0);
    // A truncated answer never looks complete.
    this.shaping?.stop();
    this.down.reset(resetTowardCaller(code, cause, this.head.isGrpc));
    this.settle(outcomeOfReason(reason), reason);
  }

  /** Sends the request again: nobody has looked at it. False when it cannot be. */
  private resend(cause: number): boolean {
    const sent = this.replay === null ? null : this.replay.content();
    if ((this.replay !== null && sent === null) || !this.mayGoAgain(cause)) return false;
    this.up = null;
    this.toUp = null;
    this.toDown = this.down;
    this.shaping?.stop();
    this.shaping = null;
    if (sent !== null) {
      // The caller may get credit for these bytes twice, and so ahead of its time: by what a replay holds at most.
      this.held = new SendQueue(this.context.budget);
      this.held.append(sent, 0, sent.length);
    }
    this.dropReplay();
    this.side.release(this);
    this.forward();
    return true;
  }

  private keepForReplay(buf: Buffer, start: number, end: number): void {
    if (start === end) return;
    this.replay ??= Replay.acquire();
    this.replay.keep(buf, start, end);
  }

  private dropReplay(): void {
    this.replay?.release();
    this.replay = null;
  }

  // ── Ends ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The deadline has passed. */
  override onTimer(_nowMs: number): void {
    if (this.phase === Phase.settled) return;
    this.up?.reset(ErrorCode.cancel);
    if (!this.headSent) return this.refuse(Reason.deadline, 0);
    this.shaping?.stop();
    if (this.head.isGrpc) this.down.sendTrailers(grpcTrailersFor(Reason.deadline));
    else this.down.reset(ErrorCode.internalError);
    if (!this.requestEnded) this.down.reset(ErrorCode.noError);
    this.settle(Outcome.failure, Reason.deadline);
  }

  /** Answers in the upstream's place. */
  private refuse(reason: number, retryAfterMs: number): void {
    if (this.phase === Phase.connecting) {
      this.context.upstreams.cancel(this.address, this.side.protocolFor(this), this);
    }
    this.shaping?.stop();
    const answer = answerFor(reason, this.head.isGrpc, retryAfterMs);
    this.headSent = true;
    this.status = answer.head.status;
    this.grpcStatus = answer.head.grpcStatus;
    const { down } = this;
    if (answer.body === null || this.head.method === 'HEAD') down.sendHeaders(answer.head, true);
    else {
      down.sendHeaders(answer.head, false);
      down.source = null;
      down.sendData(answer.body, 0, answer.body.length, true);
    }
    if (this.held !== null) down.credit(this.held.bytes);
    // The caller need not send the rest of a request that nobody will read.
    if (!this.requestEnded) down.reset(ErrorCode.noError);
    this.settle(outcomeOfReason(reason), reason);
  }

  private mayGoAgain(cause: number): boolean {
    return cause === ResetCause.unprocessed ? this.moves++ < movesMax : this.resends++ < resendsMax;
  }

  private onResponseEnd(): void {
    const outcome =
      this.grpcStatus !== ''
        ? classifyGrpc(Number(this.grpcStatus), this.responseReason)
        : classifyHttp(this.status, this.responseReason);
    this.settle(outcome, Reason.none);
  }

  private settle(outcome: number, reason: number): void {
    if (this.phase === Phase.settled) return;
    const wasQueued = this.phase === Phase.queued;
    this.phase = Phase.settled;
    this.held?.clear();
    this.held = null;
    this.dropReplay();
    this.context.wheel.cancel(this);
    if (this.stoodMs > 0) this.startedMs += this.context.clock.nowMs - this.stoodMs;
    this.side.settle(this, outcome, reason, wasQueued);
    this.context.observer.onSettled(this, this.side, outcome, reason);
  }
}

/** How much content can come before there is an upstream: what the stream's window allows. */
function heldContentMax(contentLength: number): number {
  return contentLength >= 0 && contentLength < defaultWindowBytes ? contentLength : defaultWindowBytes;
}

function reasonOfReset(cause: number): number {
  if (cause === ResetCause.flowControl) return Reason.flowControl;
  if (cause === ResetCause.protocol) return Reason.upstreamProtocol;
  return cause === ResetCause.notConnected ? Reason.upstreamConnect : Reason.upstreamReset;
}
