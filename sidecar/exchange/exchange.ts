/**
 * One request's life, from the head that came in to the last byte of its answer:
 *
 *   admitting ──▶ queued ──▶ connecting ──▶ forwarding ──▶ settled
 *       └─────────────┴────────── refused (one road: `refuse`) ──┘
 *
 * The exchange knows streams, not frames: data passes by credit, so a slow reader slows the writer and nothing piles up
 * here. What may be asked of a request in which order is the side's business (inbound.ts, outbound.ts), what is tried at
 * an upstream the attempt's (attempt.ts); the exchange makes sure that whatever happens, the outcome is settled exactly
 * once and permits go back.
 */
import type { Pool } from '../../proto/kernel/pool.ts';
import { Reason } from '../../proto/reasons.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { SendQueue } from '../http2/send-queue.ts';
import { ResetCause, type StreamHandler } from '../http2/stream.ts';
import { Outcome } from '../resilience/outcome.ts';
import type { RetryPolicy } from '../resilience/retry-policy.ts';
import { AttemptEnd } from '../resilience/retry-rules.ts';
import { countWouldReject, outcomeOfReason } from './accounting.ts';
import { type Answer, answerFor, grpcTrailersFor, sendAnswer, withSignal } from './answers.ts';
import { type Attempt, connectRetryAfterMs, openAttempt } from './attempt.ts';
import type { ExchangeContext, Side } from './context.ts';
import type { ContentSink, HttpStream } from './http-stream.ts';
import type { ParkingOwner } from './parking.ts';
import type { Peer } from './peer.ts';
import { contentOf, keptIn, type Replay } from './replay.ts';
import { RequestState } from './request-state.ts';
import { endOfReset, reasonOfReset, resetTowardCaller, resetTowardUpstream } from './reset-codes.ts';
import { StandIn, type StandInOwner, type Trouble } from './stand-in.ts';
import { beginTries, Tries, type TriesOwner } from './tries.ts';

const Phase = { admitting: 0, queued: 1, connecting: 2, forwarding: 3, settled: 4 } as const;

export class Exchange extends RequestState implements TriesOwner, StandInOwner, ParkingOwner, StreamHandler {
  /** Where it goes when nobody holds it any more; null = somebody may (see recycling.ts). */
  pool: Pool<Exchange> | null = null;
  context: ExchangeContext;
  side: Side;
  down: HttpStream;
  attempt: Attempt | null = null;
  private tries: Tries | null = null;
  private standIn: StandIn | null = null;
  private phase: number = Phase.admitting;
  private headSent = false;
  private held: SendQueue | null = null;
  private requestTrailers: HeaderList | null = null;
  /** Since when a tunnel stands; 0 = none. */
  private stoodMs = 0;
  /** What was sent of the request's content; null while there was none. */
  private replay: Replay | null = null;

  constructor(context: ExchangeContext, side: Side, down: HttpStream, head: HeaderList) {
    super(head);
    this.context = context;
    this.side = side;
    this.down = down;
  }

  get address(): string {
    return this.attempt === null ? '' : this.attempt.address;
  }

  get isHeadOnly(): boolean {
    return this.endedMs >= 0 && this.held === null && this.replay === null && this.requestTrailers === null;
  }

  get isReplayable(): boolean {
    return !this.headSent && (this.replay === null || this.replay.content() !== null);
  }

  get isWholeAtHand(): boolean {
    return this.endedMs >= 0 && this.held === null && this.flow === null && this.isReplayable;
  }

  get isSettled(): boolean {
    return this.phase === Phase.settled;
  }

  begin(endStream: boolean, protocol: number, peer: Peer): void {
    this.arrive(endStream, protocol, peer, this.context.clock.nowMs);
    this.down.handler = this;
    const decision = this.side.admit(this);
    if (this.fallback !== null) this.standIn = new StandIn(this, this.fallback);
    if (decision === 0) {
      if (this.phase === Phase.admitting) this.forward();
    } else if (decision < 0) {
      // The side may have admitted or refused already, on the way.
      if (this.phase === Phase.admitting) this.phase = Phase.queued;
    } else if (this.phase !== Phase.settled) this.refuse(decision, this.retryAfterMs);
    if (this.deadlineMs > 0 && this.phase !== Phase.settled) this.context.wheel.schedule(this, this.deadlineMs);
  }

  // ── Admission ───────────────────────────────────────────────────────────────────────────────────────────────────

  onAdmitted(nowMs: number): void {
    this.holdsPermit = true;
    // In shadow it went on long ago.
    if (this.phase > Phase.queued) return this.side.wouldAdmit(this, nowMs);
    this.admittedMs = nowMs;
    this.forward();
  }

  onRefused(reason: number, nowMs: number): void {
    if (this.phase > Phase.queued) return this.side.wouldRefuse(this, reason);
    this.refuse(reason, this.admission === null ? 0 : this.admission.retryAfterMs(nowMs));
  }

  onDecision(decision: number): void {
    if (this.phase > Phase.queued || decision < 0) return;
    if (decision === 0) this.forward();
    else this.refuse(decision, this.retryAfterMs);
  }

  forward(): void {
    // We are a proxy for services, not a tunnel to wherever the caller likes (RFC 9110 §9.3.6).
    if (this.head.method === 'CONNECT' && this.head.protocol === '') return this.refuse(Reason.connectRefused, 0);
    this.phase = Phase.connecting;
    const attempt = openAttempt(this);
    this.attempt = attempt;
    if (this.retryPolicy !== null) this.tries = beginTries(this, this.retryPolicy, attempt);
    attempt.begin();
  }

  onAttemptOpen(attempt: Attempt): void {
    const { toUp } = attempt;
    if (toUp === null) return;
    if (attempt !== this.attempt) return this.sendCopy(toUp);
    this.phase = Phase.forwarding;
    const { held } = this;
    if (held !== null) {
      this.held = null;
      const bytes = Buffer.allocUnsafe(held.bytes);
      held.moveTo(bytes, 0, bytes.length);
      this.replay = keptIn(this.replay, bytes, 0, bytes.length);
      toUp.sendData(bytes, 0, bytes.length, this.endedMs >= 0 && this.requestTrailers === null);
    }
    if (this.requestTrailers !== null) toUp.sendTrailers(this.requestTrailers);
  }

  /** To an attempt beside the first: the request is complete. */
  private sendCopy(toUp: ContentSink): void {
    const { replay, requestTrailers } = this;
    const sent = replay === null ? null : replay.content();
    if (sent !== null) toUp.sendData(sent, 0, sent.length, requestTrailers === null);
    if (requestTrailers !== null) toUp.sendTrailers(requestTrailers);
  }

  onAttemptFailed(attempt: Attempt, reason: number, retryAfterMs: number): void {
    const end = reason === Reason.upstreamConnect ? AttemptEnd.connectFailure : AttemptEnd.other;
    if (this.goesOn(attempt, end, reason)) return;
    this.refuse(reason, retryAfterMs);
  }

  /** A reader took nothing for longer than the policy allows. In shadow that is counted once. */
  onStalled(): void {
    const { flow } = this;
    if (flow === null || flow.shadow) {
      this.flow = null;
      if (flow !== null) countWouldReject(this, Reason.flowControl);
      return;
    }
    this.context.budget.stallResets++;
    if (this.phase !== Phase.settled && !this.headSent) return this.refuse(Reason.flowControl, 0);
    this.down.reset(ErrorCode.enhanceYourCalm);
    this.onReset(ErrorCode.cancel, ResetCause.flowControl);
  }

  // ── The caller's side ───────────────────────────────────────────────────────────────────────────────────────────

  /** Requests have no second head; only responses call this. */
  onHeaders(_list: HeaderList, _endStream: boolean): void {}

  onData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (endStream) this.endedMs = this.context.clock.nowMs;
    if (this.parking?.takesContent(buf, start, end)) return this.down.credit(end - start);
    const toUp = this.attempt === null ? null : this.attempt.toUp;
    if (toUp !== null && !toUp.isClosed) {
      if (!this.headSent) this.replay = keptIn(this.replay, buf, start, end);
      toUp.sendData(buf, start, end, endStream);
    } else if (this.phase < Phase.forwarding) {
      if (end > start) {
        this.held ??= new SendQueue(this.context.budget);
        this.held.append(buf, start, end);
      }
      this.standIn?.onContent();
    } else this.down.credit(end - start);
  }

  onTrailers(list: HeaderList): void {
    this.endedMs = this.context.clock.nowMs;
    this.requestTrailers = list;
    this.parking?.onTrailers();
    this.attempt?.toUp?.sendTrailers(list);
    this.standIn?.onContent();
  }

  /** The caller gave up, its connection is gone, or it took nothing for too long. */
  onReset(code: number, cause: number): void {
    this.attempt?.abandon(resetTowardUpstream(code));
    this.settle(Outcome.ignored, cause === ResetCause.flowControl ? Reason.flowControl : Reason.cancelled);
  }

  // ── The upstream's side ─────────────────────────────────────────────────────────────────────────────────────────

  onAnswerHead(attempt: Attempt, list: HeaderList, endStream: boolean): void {
    if (list.status >= 200) {
      if (this.retryPolicy !== null && this.isTakenBack(this.retryPolicy, attempt, list)) return;
      if (this.standIn?.answers(attempt, list, endStream)) return;
      if (this.parking?.takesAnswer(this, attempt, list)) return;
      this.status = list.status;
      this.headSent = true;
      this.dropReplay();
      if (this.head.protocol !== '' && list.status < 300) this.onTunnelStands();
    }
    if (attempt !== this.attempt) return;
    this.down.sendHeaders(this.limitSignal === null ? list : withSignal(list, this.limitSignal), endStream);
    if (endStream) this.onAnswerEnd(attempt);
  }

  /** Whether an answer gives way to another attempt. */
  private isTakenBack(policy: RetryPolicy, attempt: Attempt, list: HeaderList): boolean {
    if (this.tries === null) {
      const { status, grpcStatus } = attempt;
      if (status < 400 && (grpcStatus === '' || grpcStatus === '0')) return false;
      this.tries = new Tries(this, policy, attempt);
    }
    return this.tries.takesAnswer(attempt, list);
  }

  /** Whether the request goes on without that attempt. */
  private goesOn(attempt: Attempt, end: number, reason: number): boolean {
    const { retryPolicy } = this;
    if (retryPolicy === null || this.headSent) return false;
    this.tries ??= new Tries(this, retryPolicy, attempt);
    return this.tries.takesEnd(attempt, end, reason);
  }

  /** The deadline, and the time that counts, were the answer's: a tunnel stays for as long as both ends like. */
  private onTunnelStands(): void {
    this.context.wheel.cancel(this);
    this.stoodMs = this.context.clock.nowMs;
  }

  onAnswerEnd(attempt: Attempt): void {
    this.grpcStatus = attempt.grpcStatus;
    this.settle(attempt.outcome(), Reason.none);
  }

  onAttemptReset(attempt: Attempt, code: number, cause: number): void {
    const reason = reasonOfReset(cause);
    if (this.goesOn(attempt, endOfReset(code, cause), reason)) return;
    if (!this.headSent) return this.refuse(reason, reason === Reason.upstreamConnect ? connectRetryAfterMs : 0);
    // A truncated answer never looks complete.
    attempt.stopContent();
    this.down.reset(resetTowardCaller(code, cause, this.head.isGrpc));
    this.settle(outcomeOfReason(reason), reason);
  }

  takeBack(): boolean {
    const { replay } = this;
    if (this.tries?.isParallel) return false;
    if (replay !== null) {
      const sent = replay.content();
      if (sent === null) return false;
      // The caller may get credit for these bytes twice, and so ahead of its time: by what a replay holds at most.
      this.held = new SendQueue(this.context.budget);
      this.held.append(sent, 0, sent.length);
      this.dropReplay();
    }
    this.phase = Phase.connecting;
    return true;
  }

  content(): Buffer | null {
    return contentOf(this.held, this.replay);
  }

  /** What was sent waits again. False when it is not all there any more. */
  endAttempt({ outcome, reason }: Trouble): boolean {
    const { attempt } = this;
    if (attempt === null) return true;
    attempt.abandon(ErrorCode.cancel);
    this.tries?.end(outcome, reason);
    this.tries = null;
    if (!this.takeBack()) return false;
    attempt.settle(outcome, reason);
    this.attempt = null;
    this.phase = Phase.admitting;
    return true;
  }

  private dropReplay(): void {
    this.replay?.release();
    this.replay = null;
  }

  // ── Ends ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The deadline has passed. */
  override onTimer(_nowMs: number): void {
    if (this.phase === Phase.settled) return;
    if (!this.headSent) return this.refuse(Reason.deadline, 0);
    this.attempt?.abandon(ErrorCode.cancel);
    if (this.head.isGrpc) this.down.sendTrailers(grpcTrailersFor(Reason.deadline));
    else this.down.reset(ErrorCode.internalError);
    if (this.endedMs < 0) this.down.reset(ErrorCode.noError);
    this.settle(Outcome.failure, Reason.deadline);
  }

  refuse(reason: number, retryAfterMs: number): void {
    if (this.parking?.isUnderWay) return;
    const trouble = { reason, outcome: outcomeOfReason(reason), retryAfterMs };
    if (this.standIn?.standsInFor(trouble) || this.parking?.takes(this, trouble)) return;
    this.answerRefusal(trouble);
  }

  answerRefusal(trouble: Trouble): void {
    const { reason, retryAfterMs } = trouble;
    this.answerWith(answerFor(reason, this.head.isGrpc, retryAfterMs, this.limitSignal), trouble);
  }

  giveUpAttempt({ outcome, reason }: Trouble): void {
    this.context.wheel.cancel(this);
    this.attempt?.abandon(ErrorCode.cancel);
    this.tries?.end(outcome, reason);
    this.tries = null;
    this.attempt?.settle(outcome, reason);
    this.dropReplay();
    if (this.held === null) return;
    this.down.credit(this.held.bytes);
    this.held.clear();
    this.held = null;
  }

  /** Answers in the upstream's place. */
  answerWith(answer: Answer, { reason, outcome }: Trouble): void {
    this.attempt?.abandon(ErrorCode.cancel);
    this.headSent = true;
    this.status = answer.head.status;
    const { down } = this;
    this.grpcStatus = (answer.trailers ?? answer.head).grpcStatus;
    sendAnswer(down, { ...answer, head: this.side.answerHead(this, null, answer.head) }, this.head.method === 'HEAD');
    if (this.held !== null) down.credit(this.held.bytes);
    // The caller need not send the rest of a request that nobody will read.
    if (this.endedMs < 0) down.reset(ErrorCode.noError);
    this.settle(outcome, reason);
  }

  private leaveOutTunnel(attempt: Attempt | null): void {
    const stoodForMs = this.context.clock.nowMs - this.stoodMs;
    this.startedMs += stoodForMs;
    if (attempt !== null) attempt.startedMs += stoodForMs;
  }

  private settle(outcome: number, reason: number): void {
    if (this.phase === Phase.settled) return;
    this.phase = Phase.settled;
    this.held?.clear();
    this.held = null;
    this.dropReplay();
    this.context.wheel.cancel(this);
    const { attempt } = this;
    if (this.stoodMs > 0) this.leaveOutTunnel(attempt);
    attempt?.settle(outcome, reason);
    this.tries?.end(outcome, reason);
    this.standIn?.end();
    this.parking?.end(this);
    this.side.settle(this, outcome, reason);
    this.context.observer.onSettled(this, this.side, outcome, reason);
    const { pool } = this;
    if (pool === null || attempt === null || reason !== Reason.none) return;
    if (this.isPlain && attempt.isPlain) this.retire(attempt, pool);
  }

  /** Only the two streams know of it: nothing beside one attempt was made for it, and its caller has sent everything. */
  private get isPlain(): boolean {
    if (this.tries !== null || this.standIn !== null || this.turn !== null || this.stoodMs > 0) return false;
    return this.endedMs >= 0 && this.flow === null && this.parking === null;
  }

  /** The last thing done with it: from here on it may be another request's. */
  private retire(attempt: Attempt, pool: Pool<Exchange>): void {
    const { down } = this;
    attempt.retire();
    this.clear();
    pool.give(this);
    down.release?.();
  }

  protected override clear(): void {
    super.clear();
    this.attempt = null;
    this.phase = Phase.admitting;
    this.headSent = false;
    this.requestTrailers = null;
  }
}
