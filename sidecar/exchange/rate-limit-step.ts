/**
 * The step of an inbound request through the rate limits of its policy, one after the other: each counts it, admits it,
 * makes it wait for its turn (leaky bucket) or refuses it. Limits before the one that refuses have counted the request: their
 * bounds hold all the same, and giving back would let a caller probe for nothing.
 *
 * A request that waits goes on with the next limit when its turn comes. In shadow nobody waits and nobody is refused, but
 * the place in the line is held for as long, so that its bound is met as it would be.
 */
import type { TimerWheel } from '../../proto/kernel/timer-wheel.ts';
import { Reason } from '../../proto/reasons.ts';
import { Decision } from '../admission/admission.ts';
import type { CompiledInbound, RateLimitRule } from '../policy/compiled.ts';
import { countWouldReject } from './accounting.ts';
import type { RequestView } from './context.ts';
import type { MeshToken } from './mesh-token.ts';
import { Turn } from './turn.ts';

/** What the limits want to know of a request, and tell it. */
export type LimitedRequest = Pick<
  RequestView,
  | 'head'
  | 'traffic'
  | 'counts'
  | 'peerAddress'
  | 'peerIdentity'
  | 'deadlineMs'
  | 'retryAfterMs'
  | 'limitSignal'
  | 'turn'
  | 'onDecision'
>;

export interface RateLimitStepOptions<Request extends LimitedRequest> {
  readonly wheel: TimerWheel;
  readonly meshToken: MeshToken | null;
  /** Every limit admitted a request that had to wait: the rest of its steps. Answers a Decision. */
  readonly goOn: (request: Request, inbound: CompiledInbound, nowMs: number) => number;
}

export class RateLimitStep<Request extends LimitedRequest> {
  private readonly options: RateLimitStepOptions<Request>;

  constructor(options: RateLimitStepOptions<Request>) {
    this.options = options;
  }

  /** A Decision: 0 every limit from `first` on admits it, -1 it waits for its turn, > 0 a reason to refuse. */
  pass(request: Request, inbound: CompiledInbound, first: number, nowMs: number): number {
    const { rateLimits: rules, shadow } = inbound;
    const patienceMs = request.deadlineMs === 0 ? Number.POSITIVE_INFINITY : request.deadlineMs - nowMs;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = first; i < rules.length; i++) {
      const rule = rules[i]!;
      const answer = rule.tryAcquire(keyOf(rule, request), nowMs, this.costOf(rule, request), patienceMs);
      if (answer > 0) {
        if (!shadow) return refuse(request, inbound, i, answer, nowMs);
        countWouldReject(request, Reason.rateLimit);
      }
      if (inbound.signalsAdmitted) lowest = signal(request, inbound, i, lowest, nowMs);
      if (answer >= 0) continue;
      this.options.wheel.schedule(new WaitingTurn(this, rule, shadow ? null : request, inbound, i + 1), nowMs - answer);
      if (!shadow) return Decision.queued;
    }
    return Decision.admitted;
  }

  /** The request went away while it waited. Its turn stays unused. */
  cancel(turn: Turn): void {
    this.options.wheel.cancel(turn);
    turn.rule.leaveLine();
  }

  onTurn(request: Request, inbound: CompiledInbound, next: number, nowMs: number): void {
    request.turn = null;
    const decision = this.pass(request, inbound, next, nowMs);
    request.onDecision(decision === Decision.admitted ? this.options.goOn(request, inbound, nowMs) : decision);
  }

  private costOf({ cost }: RateLimitRule, request: Request): number {
    if (cost.header === '' || !isTrusted(request, this.options.meshToken)) return cost.usual;
    const written = request.head.get(cost.header);
    return written === undefined ? cost.usual : Math.min(cost.max, parseCost(written, cost.usual));
  }
}

/** A turn with the request that has it; null: the place alone. */
class WaitingTurn<Request extends LimitedRequest> extends Turn {
  readonly rule: RateLimitRule;
  private readonly step: RateLimitStep<Request>;
  private readonly request: Request | null;
  private readonly inbound: CompiledInbound;
  private readonly next: number;

  constructor(
    step: RateLimitStep<Request>,
    rule: RateLimitRule,
    request: Request | null,
    inbound: CompiledInbound,
    next: number,
  ) {
    super();
    this.step = step;
    this.rule = rule;
    this.request = request;
    this.inbound = inbound;
    this.next = next;
    if (request !== null) request.turn = this;
  }

  override onTimer(nowMs: number): void {
    this.rule.leaveLine();
    if (this.request !== null) this.step.onTurn(this.request, this.inbound, this.next, nowMs);
  }
}

function refuse(
  request: LimitedRequest,
  { rateLimits, rateLimitSignals }: CompiledInbound,
  index: number,
  waitMs: number,
  nowMs: number,
): number {
  request.retryAfterMs = Number.isFinite(waitMs) ? waitMs : 0;
  request.limitSignal = rateLimitSignals?.of(index, rateLimits[index]!.remaining(nowMs), waitMs) ?? null;
  return Reason.rateLimit;
}

/** Keeps what the limit with the smallest share left has to tell; answers that share. */
function signal(
  request: LimitedRequest,
  inbound: CompiledInbound,
  index: number,
  lowest: number,
  nowMs: number,
): number {
  const rule = inbound.rateLimits[index]!;
  const remaining = rule.remaining(nowMs);
  const share = remaining / rule.quota;
  if (share >= lowest) return lowest;
  request.limitSignal = inbound.rateLimitSignals?.of(index, remaining, rule.steadyMs(nowMs)) ?? null;
  return share;
}

/** Who may say what its request costs: a caller that proved who it is, or that has the mesh's token. */
function isTrusted(request: LimitedRequest, meshToken: MeshToken | null): boolean {
  return request.peerIdentity !== '' || meshToken?.isShownBy(request.head) === true;
}

/** Whole and at least 1; nine digits are more than any limit admits. */
function parseCost(text: string, usual: number): number {
  return /^[0-9]{1,9}$/.test(text) ? Math.max(1, Number(text)) : usual;
}

/** What the rule tells callers apart by. Requests without it share one key, ''. */
function keyOf(rule: RateLimitRule, request: LimitedRequest): string {
  switch (rule.key.kind) {
    case 'none':
      return '';
    case 'header':
      return request.head.get(rule.key.header) ?? '';
    case 'identity':
      return request.peerIdentity;
    case 'address':
      return request.peerAddress;
    case 'method':
      return request.head.method;
    case 'path': {
      const query = request.head.path.indexOf('?');
      return query < 0 ? request.head.path : request.head.path.slice(0, query);
    }
  }
}
