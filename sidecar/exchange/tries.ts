/**
 * A request with more than one attempt: retries one after the other, hedges beside each other, and the time that each
 * attempt gets. Made with the request where attempts are timed, else with its first failure; a request that goes well
 * under a policy of retries makes nothing for them.
 *
 *   failed ──▶ the rules name it ──▶ attempts left, at hand, this layer's ──▶ the service does not mind ──▶ time left
 *          ──▶ breaker, the target's level ──▶ budget ──▶ client throttle
 *          ──▶ wait (jitter, or as long as the service says) ──▶ breaker and level again ──▶ another endpoint
 *
 * Where one of these says no, the answer as it came goes to the caller: to have no retry is no refusal.
 */
import { Timer } from '../../proto/kernel/timer-wheel.ts';
import { Reason } from '../../proto/reasons.ts';
import { ErrorCode } from '../http2/constants.ts';
import type { HeaderList } from '../http2/hpack/field.ts';
import { Outcome } from '../resilience/outcome.ts';
import type { RetryPolicy } from '../resilience/retry-policy.ts';
import { HedgeResult, RetryResult } from '../resilience/retry-results.ts';
import {
  AttemptEnd,
  isIdempotent,
  neverAgain,
  noPushback,
  pushbackOf,
  repeatsAnswer,
  repeatsEnd,
  retryDelayMs,
  saysNoRoom,
} from '../resilience/retry-rules.ts';
import { countWouldReject, outcomeOfReason } from './accounting.ts';
import { Attempt, type AttemptOwner, AttemptPlace } from './attempt.ts';
import { saysRetry } from './onward-head.ts';

/** The request, as its tries see it. */
export interface TriesOwner extends AttemptOwner {
  /** The attempt that has its content, and whose end is the request's. */
  attempt: Attempt | null;
  /** All of it that was sent can be sent again. */
  readonly isReplayable: boolean;
  /** It is complete, and all of it is at hand: it may be sent beside the first. */
  readonly isWholeAtHand: boolean;
  refuse(reason: number, retryAfterMs: number): void;
}

/** A service that asks for a longer wait is answered for: what waits here holds memory, and the caller can wait itself. */
export const pushbackWaitMsMax = 10_000;
/** Endpoints without room cost no attempt, but a part of the budget each. */
const elsewhereMax = 2;
/** In the place of a pushback, which was that of another endpoint. */
const atOnce = -3;
/** How long hedges are off when the service says "not again" without a time. */
const hedgePauseMs = 1000;

/** A request begins under a policy of retries: a share of its budget. Only where attempts are timed is there more to it. */
export function beginTries(owner: TriesOwner, policy: RetryPolicy, first: Attempt): Tries | null {
  const { nowMs } = owner.context.clock;
  policy.budget.recordRequest(nowMs);
  if (owner.traffic !== null) owner.traffic.retryBudgetLeft = policy.budget.left(nowMs);
  return policy.isTimed ? new Tries(owner, policy, first) : null;
}

export class Tries extends Timer {
  private readonly owner: TriesOwner;
  private readonly policy: RetryPolicy;
  /** Under way. */
  private readonly attempts: Attempt[];
  private made = 1;
  /** Taken from the budget and not given back. */
  private withdrawn = 0;
  private waitsUntilMs = 0;
  /** When a slow attempt gets another beside it; Infinity = not any more. */
  private hedgeAtMs = Number.POSITIVE_INFINITY;
  private wasLate = false;
  /** Endpoints that had no room. */
  private elsewhere = 0;

  constructor(owner: TriesOwner, policy: RetryPolicy, first: Attempt) {
    super();
    this.owner = owner;
    this.policy = policy;
    this.attempts = [first];
    if (policy.isTimed) this.arm(first);
  }

  get isParallel(): boolean {
    return this.attempts.length > 1;
  }

  /** The head of an answer came. True when it is not for the caller: another attempt is made, or still under way. */
  takesAnswer(attempt: Attempt, list: HeaderList): boolean {
    const { owner, policy } = this;
    const { rules } = policy.settings;
    const { isGrpc } = owner.head;
    const failed = attempt.grpcStatus !== '' ? attempt.grpcStatus !== '0' : attempt.status >= 400;
    if (failed) {
      const pushbackMs = pushbackOf(list.get('grpc-retry-pushback-ms'), isGrpc ? undefined : list.get('retry-after'));
      if (pushbackMs !== noPushback) {
        policy.pauseHedges(owner.context.clock.nowMs, pushbackMs === neverAgain ? hedgePauseMs : pushbackMs);
        this.hedgeAtMs = Number.POSITIVE_INFINITY;
      }
      const goesElsewhere = this.mayGoElsewhere(attempt);
      if (rules !== null && (goesElsewhere || repeatsAnswer(rules, owner.head, attempt.status, attempt.grpcStatus))) {
        const outcome = attempt.outcome();
        if (goesElsewhere) this.elsewhere++;
        if (this.isParallel) this.leave(attempt, outcome, Reason.none);
        else if (!this.tryAgain(attempt, outcome, Reason.none, goesElsewhere ? atOnce : pushbackMs))
          return this.win(attempt);
        return true;
      }
    }
    return this.win(attempt);
  }

  /**
   * One endpoint has no room, as its sidecar says: nobody has begun with the request, and another may have some. When the
   * whole service has none, it is the budget that bounds this.
   */
  private mayGoElsewhere({ responseReason }: Attempt): boolean {
    const { rules } = this.policy.settings;
    const { target } = this.owner;
    if (rules === null || !rules.onRefused || target === null || this.elsewhere >= elsewhereMax) return false;
    return saysNoRoom(responseReason) && target.cluster.endpoints.length > this.made;
  }

  /** An attempt ended without an answer (`AttemptEnd`). True when the request goes on all the same. */
  takesEnd(attempt: Attempt, end: number, reason: number): boolean {
    if (this.isParallel) {
      this.leave(attempt, outcomeOfReason(reason), reason);
      return true;
    }
    const { rules } = this.policy.settings;
    if (rules === null || !repeatsEnd(rules, this.owner.head, end)) return false;
    return this.tryAgain(attempt, outcomeOfReason(reason), reason, noPushback);
  }

  /** The request is over, or given up. */
  end(outcome: number, reason: number): void {
    this.owner.context.wheel.cancel(this);
    for (const attempt of this.attempts) {
      if (attempt !== this.owner.attempt) attempt.abandon(ErrorCode.cancel);
      attempt.settle(outcome, reason);
    }
    this.attempts.length = 0;
    for (; this.withdrawn > 0; this.withdrawn--) this.policy.budget.release();
  }

  override onTimer(nowMs: number): void {
    if (this.waitsUntilMs > 0) {
      this.waitsUntilMs = 0;
      return this.goAgain();
    }
    const { perTryTimeoutMs } = this.policy.settings;
    if (perTryTimeoutMs > 0) {
      for (const attempt of [...this.attempts]) {
        if (nowMs < attempt.startedMs + perTryTimeoutMs) continue;
        this.onTryTimeout(attempt);
        if (this.attempts.length === 0 || this.waitsUntilMs > 0) return;
      }
    }
    if (nowMs >= this.hedgeAtMs) this.hedge(nowMs);
    this.schedule();
  }

  private onTryTimeout(attempt: Attempt): void {
    if (this.policy.settings.shadow) {
      // There is one attempt in shadow.
      if (!this.wasLate) countWouldReject(this.owner, Reason.tryTimeout);
      this.wasLate = true;
      return;
    }
    attempt.abandon(ErrorCode.cancel);
    if (!this.takesEnd(attempt, AttemptEnd.tryTimeout, Reason.tryTimeout)) this.owner.refuse(Reason.tryTimeout, 0);
  }

  private tryAgain(attempt: Attempt, outcome: number, reason: number, pushbackMs: number): boolean {
    const { owner, policy } = this;
    const { rules, shadow } = policy.settings;
    const nowMs = owner.context.clock.nowMs;
    if (rules === null) return false;
    const delayMs = pushbackMs === atOnce ? 0 : retryDelayMs(rules, this.made - 1, pushbackMs, owner.context.random);
    const result = this.judge(nowMs, pushbackMs, delayMs);
    if (owner.traffic !== null) owner.traffic.retries[result]! += 1;
    if (result !== RetryResult.retried || shadow) return false;
    attempt.abandon(ErrorCode.cancel);
    this.leave(attempt, outcome, reason);
    owner.takeBack();
    this.withdrawn++;
    if (delayMs > 0) {
      this.waitsUntilMs = nowMs + delayMs;
      owner.context.wheel.schedule(this, this.waitsUntilMs);
    } else this.goAgain();
    return true;
  }

  private judge(nowMs: number, pushbackMs: number, delayMs: number): number {
    const { owner, policy } = this;
    const { deadlineMs } = owner;
    if (this.made - this.elsewhere >= policy.settings.attemptsMax) return RetryResult.attemptsSpent;
    if (isRetryOfOthers(owner)) return RetryResult.otherLayer;
    if (!owner.isReplayable) return RetryResult.notReplayable;
    if (pushbackMs === neverAgain || pushbackMs > pushbackWaitMsMax) return RetryResult.pushback;
    if (deadlineMs > 0 && nowMs + delayMs >= deadlineMs) return RetryResult.noTime;
    const refusal = owner.side.refusalAgain(owner);
    if (refusal !== Reason.none) return resultOfRefusal(refusal);
    if (!policy.budget.tryWithdraw(nowMs)) return RetryResult.noBudget;
    if (!policy.settings.shadow && owner.side.passesAgain(owner)) return RetryResult.retried;
    policy.budget.release();
    return policy.settings.shadow ? RetryResult.wouldRetry : RetryResult.clientThrottle;
  }

  private goAgain(): void {
    const { owner } = this;
    const refusal = owner.side.admitAgain(owner);
    if (refusal !== 0) return owner.refuse(refusal, owner.retryAfterMs);
    const before = owner.attempt;
    const attempt = this.next();
    owner.attempt = attempt;
    attempt.avoid = before === null ? '' : before.address;
    this.arm(attempt);
    attempt.begin();
  }

  private next(): Attempt {
    const attempt = new Attempt(this.owner);
    this.made++;
    attempt.number = this.made;
    this.attempts.push(attempt);
    return attempt;
  }

  private hedge(nowMs: number): void {
    const { owner, policy } = this;
    const { hedging, shadow } = policy.settings;
    this.hedgeAtMs = Number.POSITIVE_INFINITY;
    const first = this.attempts[0];
    if (first === undefined || hedging === null || owner.traffic === null || this.made >= hedging.attemptsMax) return;
    const repeats = hedging.nonIdempotent || isIdempotent(owner.head);
    if (!repeats || !first.isOpen || !owner.isWholeAtHand || isRetryOfOthers(owner)) return;
    const { hedges } = owner.traffic;
    if (!policy.mayHedge(nowMs) || owner.side.refusalAgain(owner) !== Reason.none) {
      hedges[HedgeResult.suppressed]! += 1;
      return;
    }
    if (!policy.budget.tryWithdraw(nowMs)) {
      hedges[HedgeResult.noBudget]! += 1;
      return;
    }
    const isRefused = !shadow && !(owner.side.passesAgain(owner) && owner.side.admitAgain(owner) === 0);
    hedges[shadow ? HedgeResult.wouldSend : isRefused ? HedgeResult.suppressed : HedgeResult.sent]! += 1;
    if (shadow || isRefused) return policy.budget.release();
    this.withdrawn++;
    const attempt = this.next();
    attempt.place = AttemptPlace.beside;
    attempt.avoid = first.address;
    this.hedgeAtMs = nowMs + hedging.afterMs;
    attempt.begin();
  }

  /** This attempt's answer is the caller's. */
  private win(attempt: Attempt): false {
    const { owner } = this;
    owner.context.wheel.cancel(this);
    if (attempt.place === AttemptPlace.beside && owner.traffic !== null) owner.traffic.hedges[HedgeResult.won]! += 1;
    for (const other of [...this.attempts]) {
      if (other === attempt) continue;
      other.place = AttemptPlace.lost;
      this.leave(other, Outcome.ignored, Reason.cancelled);
    }
    owner.attempt = attempt;
    attempt.adopt();
    return false;
  }

  /** One of several is over, or the one that a retry replaces. */
  private leave(attempt: Attempt, outcome: number, reason: number): void {
    const { owner } = this;
    attempt.abandon(ErrorCode.cancel);
    attempt.settle(outcome, reason);
    this.attempts.splice(this.attempts.indexOf(attempt), 1);
    if (attempt.number > 1 && this.withdrawn > 0) {
      this.withdrawn--;
      this.policy.budget.release();
    }
    const left = this.attempts[0];
    if (left === undefined || owner.attempt !== attempt) return;
    owner.attempt = left;
    left.adopt();
  }

  /** An attempt begins: its time, and that of a hedge beside it. */
  private arm(attempt: Attempt): void {
    const { hedging } = this.policy.settings;
    if (hedging !== null) this.hedgeAtMs = attempt.startedMs + hedging.afterMs;
    this.schedule();
  }

  /** For whatever comes first. */
  private schedule(): void {
    const { perTryTimeoutMs } = this.policy.settings;
    let atMs = this.hedgeAtMs;
    if (perTryTimeoutMs > 0 && !this.wasLate) {
      for (const attempt of this.attempts) atMs = Math.min(atMs, attempt.startedMs + perTryTimeoutMs);
    }
    if (this.attempts.length > 0 && atMs < Number.POSITIVE_INFINITY) this.owner.context.wheel.schedule(this, atMs);
  }
}

/** Retries of two layers would multiply: whoever made this request tries again itself, or a layer above did. */
function isRetryOfOthers(owner: TriesOwner): boolean {
  return saysRetry(owner.head, true) || owner.side.isRetriedAbove(owner);
}

function resultOfRefusal(reason: number): number {
  return reason === Reason.upstreamLevel ? RetryResult.upstreamLevel : RetryResult.breakerOpen;
}
