/**
 * What answers one request in the place of a service that cannot, before its answer began; of what the policy names, in
 * this order:
 *
 *   another service ──▶ else its last good answer ──▶ else a fixed answer ──▶ else the refusal
 *
 * Each is tried once for a request, so that services which name each other do not pass it to and fro for ever. The last
 * good answer to a call of gRPC is found by its message: one that is refused at its head waits a moment for that.
 *
 * A request whose policy has no fallback has no stand-in, and costs a comparison when it is refused or answered.
 */
import { Timer } from '../../proto/kernel/timer-wheel.ts';
import { Reason } from '../../proto/reasons.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import type { Fallback } from '../policy/compiled.ts';
import { Outcome } from '../resilience/outcome.ts';
import type { StoredAnswer } from '../resilience/stale-answers.ts';
import type { Answer } from './answers.ts';
import type { Attempt } from './attempt.ts';
import { cacheKey, isForEverybody, isPersonal, keptAnswer, mayUseCache, valuesOf } from './cacheable.ts';
import type { ExchangeContext, RequestView, Side } from './context.ts';
import { staleAnswer, staticAnswer } from './fallback-answers.ts';
import type { HttpStream } from './http-stream.ts';
import { StaleRecording } from './stale-recording.ts';

/** The order of `TrafficStats.fallbacks`. */
export const FallbackKind = { service: 0, stale: 1, static: 2 } as const;

/** For the content of a call that was refused at its head. */
const contentWaitMaxMs = 1000;

/** What went wrong: `reason` is none where the service's own answer was the trouble. */
export interface Trouble {
  readonly reason: number;
  readonly outcome: number;
  readonly retryAfterMs: number;
}

/** The request, as its stand-in sees it. */
export interface StandInOwner extends RequestView {
  readonly context: ExchangeContext;
  readonly side: Side;
  readonly down: HttpStream;
  readonly endedMs: number;
  /** All of its content that came; null when that is more than is kept. */
  content(): Buffer | null;
  /** Its attempt is over, and what was sent waits again. False when it is not all there any more. */
  endAttempt(trouble: Trouble): boolean;
  forward(): void;
  refuse(reason: number, retryAfterMs: number): void;
  answerWith(answer: Answer, trouble: Trouble): void;
}

export class StandIn extends Timer {
  private readonly request: StandInOwner;
  private readonly fallback: Fallback;
  private turned = false;
  private waiting: Trouble | null = null;

  constructor(request: StandInOwner, fallback: Fallback) {
    super();
    this.request = request;
    this.fallback = fallback;
  }

  /** Whether anything answers, or will, in the place of this refusal. */
  standsInFor(trouble: Trouble): boolean {
    return this.fallback.onReason[trouble.reason] === 1 && this.answersFor(trouble);
  }

  /** Whether anything else answers than the service, which says that it will not or cannot; else keeps what it says. */
  answers(attempt: Attempt, head: HeaderList, endStream: boolean): boolean {
    const outcome = attempt.outcome();
    if (this.isTrouble(head, outcome)) return this.answersFor({ reason: Reason.none, outcome, retryAfterMs: 0 });
    if (this.fallback.stale !== null && !this.turned) this.record(attempt, head, endStream);
    return false;
  }

  /** More of the request came. */
  onContent(): void {
    if (this.waiting === null) return;
    const { request } = this;
    const content = request.content();
    if (request.endedMs >= 0 || content === null) request.refuse(this.waiting.reason, this.waiting.retryAfterMs);
  }

  /** The content did not come. */
  override onTimer(): void {
    if (this.waiting !== null) this.request.refuse(this.waiting.reason, this.waiting.retryAfterMs);
  }

  /** The request is over. */
  end(): void {
    this.request.context.wheel.cancel(this);
  }

  private answersFor(trouble: Trouble): boolean {
    return this.tryService(trouble) || this.tryStale(trouble) || this.tryStatic(trouble);
  }

  private isTrouble(head: HeaderList, outcome: number): boolean {
    if (outcome === Outcome.failure) return this.fallback.onServerError;
    return outcome === Outcome.ignored && this.fallback.onRefusal && head.get('weir-reason') !== undefined;
  }

  /** An upgrade is for the service that was asked; one whose time is over is for nobody. */
  private tryService(trouble: Trouble): boolean {
    const { request, fallback } = this;
    const { deadlineMs, head, context } = request;
    if (fallback.service === '' || this.turned || head.protocol !== '') return false;
    if (deadlineMs > 0 && context.clock.nowMs >= deadlineMs) return false;
    if (fallback.shadow) return this.countWould(FallbackKind.service);
    if (!request.endAttempt(trouble)) return false;
    this.turned = true;
    if (request.side.turnTo(request, fallback.service) !== 0) return false;
    this.count(FallbackKind.service);
    request.forward();
    return true;
  }

  private tryStale(trouble: Trouble): boolean {
    const { request, fallback } = this;
    const { stale } = fallback;
    if (stale === null || !this.mayBeKept()) return false;
    if (this.shouldWait(trouble)) return this.wait(trouble);
    const { nowMs } = request.context.clock;
    const stored = this.lookUp(nowMs);
    if (stored === null) return false;
    if (fallback.shadow) return this.countWould(FallbackKind.stale);
    this.count(FallbackKind.stale);
    request.answerWith(staleAnswer(stored, stale.ageOf(stored, nowMs)), trouble);
    return true;
  }

  private tryStatic(trouble: Trouble): boolean {
    const { request, fallback } = this;
    const fixed = request.head.isGrpc ? fallback.grpc : fallback.http;
    if (fixed === null) return false;
    if (fallback.shadow) return this.countWould(FallbackKind.static);
    this.count(FallbackKind.static);
    request.answerWith(staticAnswer(fixed), trouble);
    return true;
  }

  // ── Last good answers ───────────────────────────────────────────────────────────────────────────────────────────

  private mayBeKept(): boolean {
    const { head } = this.request;
    return mayUseCache(head) && (!head.isGrpc || this.fallback.stale!.keepsCallsOf(head.path));
  }

  /** Only at refusals of ours: the service's own would be lost meanwhile. */
  private shouldWait({ reason }: Trouble): boolean {
    const { request } = this;
    if (!request.head.isGrpc || request.endedMs >= 0 || this.waiting !== null) return false;
    return reason !== Reason.none && !this.fallback.shadow && request.content() !== null;
  }

  private wait(trouble: Trouble): boolean {
    const { request } = this;
    if (!request.endAttempt(trouble)) return false;
    this.waiting = trouble;
    request.context.wheel.schedule(this, request.context.clock.nowMs + contentWaitMaxMs);
    return true;
  }

  private lookUp(nowMs: number): StoredAnswer | null {
    const { head, endedMs } = this.request;
    const content = head.isGrpc ? this.request.content() : null;
    if (head.isGrpc && (endedMs < 0 || content === null)) return null;
    const stored = this.fallback.stale!.find(cacheKey(head, content), (name) => valuesOf(head, name), nowMs);
    return stored !== null && isPersonal(head) && !isForEverybody(stored) ? null : stored;
  }

  private record(attempt: Attempt, answer: HeaderList, endStream: boolean): void {
    const { request } = this;
    const { head } = request;
    // A call of gRPC that ends with its head says nothing.
    if (request.endedMs < 0 || !this.mayBeKept() || (head.isGrpc && endStream)) return;
    const content = head.isGrpc ? request.content() : null;
    if (head.isGrpc && content === null) return;
    const kept = keptAnswer(head, answer);
    if (kept === null) return;
    const { clock } = request.context;
    const options = {
      clock,
      answers: this.fallback.stale!,
      key: cacheKey(head, content),
      answer: kept,
      isGrpc: head.isGrpc,
    };
    if (endStream) new StaleRecording(options, request.down).storeEmpty();
    else attempt.passThrough((next) => new StaleRecording(options, next));
  }

  // ── Counts ──────────────────────────────────────────────────────────────────────────────────────────────────────

  private count(kind: number): void {
    const { traffic, counts } = this.request;
    this.request.fallbackKind = kind;
    traffic!.fallbacks[kind]! += 1;
    counts?.countFallback();
  }

  private countWould(kind: number): false {
    this.request.traffic!.wouldFallBack[kind]! += 1;
    return false;
  }
}
