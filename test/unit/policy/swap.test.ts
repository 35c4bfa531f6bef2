/** Swapping the policy of a target: what is kept, what is replaced, and what happens to requests that are on their way. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InboundSpec, OutboundSpec, PolicySpec } from '../../../proto/policy/schema.ts';
import { Reason } from '../../../proto/reasons.ts';
import type { Admission, Waiter } from '../../../sidecar/admission/admission.ts';
import { LivePolicy, passThroughInbound, passThroughOutbound } from '../../../sidecar/policy/swap.ts';
import { BreakerState } from '../../../sidecar/resilience/breaker.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';

const spec = (inbound: InboundSpec = {}, outbound: OutboundSpec = {}): PolicySpec => ({
  target: { service: 'payments' },
  inbound,
  outbound,
});
const origin = (version: number) => ({ epoch: '0001763942400000', version, hash: `hash${version}` });

function live(first: PolicySpec | null): LivePolicy {
  const policy = new LivePolicy('shop/payments');
  policy.apply(first, origin(1), 0);
  return policy;
}

class Request implements Waiter {
  readonly bytes = 10;
  readonly tier = 2;
  readonly tenant = '';
  readonly deadlineMs = 0;
  readonly userLevel = 0;
  queueSlot = -1;
  admitted = false;
  refusedFor = 0;
  onAdmitted(): void {
    this.admitted = true;
  }
  onRefused(reason: number): void {
    this.refusedFor = reason;
  }
}

const limited = (limit: number): InboundSpec => ({ concurrency: { fixed: { limit } }, queue: { requestsMax: 10 } });

function admissionOf(policy: LivePolicy): Admission {
  const { admission } = policy.inbound;
  if (admission === null) throw new Error('there is no admission');
  return admission;
}

describe('LivePolicy', () => {
  it('keeps what is held of a limit of the fleet when a policy changes the limit, and nothing of another limit', () => {
    const shared = (rate: string, name = 'total'): PolicySpec =>
      spec({ rateLimits: [{ name, scope: 'fleet', rate, fleet: { instancesMax: 10 } }] });
    const policy = live(shared('100/s'));
    const [before] = policy.fleetLimits();
    const lease = { rate: 50, burst: 5, safeRate: 10, safeBurst: 1, safeForMs: 60_000, chunk: 0 };
    before!.limiter.tryAcquire('', 1000);
    before!.limiter.grant(lease, 2000, 1000);
    policy.apply(shared('200/s'), origin(2), 1100);
    const [after] = policy.fleetLimits();
    expect(after!.key).toBe('total');
    expect(after!.limiter).not.toBe(before!.limiter);
    expect(after!.limiter.reading(1100)).toMatchObject({ state: 'leased', rate: 50, level: 5, demand: 1 });
    policy.apply(shared('200/s', 'another'), origin(3), 1100);
    expect([...policy.fleetLimits()][0]!.limiter.reading(1100)).toMatchObject({ state: 'newcomer', demand: 0 });
    policy.apply(null, origin(4), 1100);
    expect([...policy.fleetLimits()]).toEqual([]);
  });

  it('lets everything pass before the first policy, by constants that all share', () => {
    const policy = new LivePolicy('shop/payments');
    expect(policy.inbound).toBe(passThroughInbound);
    expect(policy.outbound).toBe(passThroughOutbound);
    expect(policy.version).toBe(0);
    policy.apply(null, origin(4), 0);
    expect(policy.inbound).toBe(passThroughInbound);
    expect(policy.outbound).toBe(passThroughOutbound);
    expect([policy.epoch, policy.version, policy.hash]).toEqual(['0001763942400000', 4, 'hash4']);
  });

  it('keeps a rate limiter whose settings are the same, wherever it stands, and its spent burst with it', () => {
    const total = { name: 'total', rate: '1/s', burst: 2 };
    const policy = live(spec({ rateLimits: [total] }));
    const rule = policy.inbound.rateLimits[0]!;
    expect([rule.tryAcquire('', 0), rule.tryAcquire('', 0), rule.tryAcquire('', 0)]).toEqual([
      0,
      0,
      expect.any(Number),
    ]);

    policy.apply(spec({ rateLimits: [{ name: 'new', rate: '9/s' }, { ...total }] }), origin(2), 1);
    expect(policy.inbound.rateLimits[1]).toBe(rule);
    expect(policy.inbound.rateLimits[1]!.tryAcquire('', 1)).toBeGreaterThan(0);

    policy.apply(spec({ rateLimits: [{ ...total, burst: 3 }] }), origin(3), 2);
    expect(policy.inbound.rateLimits[0]).not.toBe(rule);
    expect(policy.inbound.rateLimits[0]!.tryAcquire('', 2)).toBe(0);
  });

  it('gives each key a bucket of its own', () => {
    const policy = live(spec({ rateLimits: [{ name: 'a', rate: '1/s', burst: 1, key: { header: 'X-Id' } }] }));
    const rule = policy.inbound.rateLimits[0]!;
    expect(rule.key).toEqual({ kind: 'header', header: 'x-id' });
    expect([rule.tryAcquire('one', 0), rule.tryAcquire('two', 0)]).toEqual([0, 0]);
    expect(rule.tryAcquire('one', 0)).toBeGreaterThan(0);
  });

  it('counts permits in flight across a changed limit, and admits who waits when it rises', () => {
    const policy = live(spec(limited(1)));
    const before = policy.inbound;
    const admission = admissionOf(policy);
    const waiter = new Request();
    expect(admission.enter(new Request(), 0)).toBe(0);
    expect(admission.enter(waiter, 0)).toBe(-1);

    policy.apply(spec(limited(2)), origin(2), 1);
    expect(policy.inbound).not.toBe(before);
    expect(admissionOf(policy)).toBe(admission);
    expect([waiter.admitted, admission.inFlight, admission.limit]).toEqual([true, 2, 2]);

    policy.apply(spec(limited(1)), origin(3), 2);
    expect(admission.inFlight).toBe(2);
    before.admission!.leave(3);
    expect(admissionOf(policy).enter(new Request(), 3)).toBe(-1);
  });

  it('admits who waits when the limit is taken away, and still takes the permits back', () => {
    for (const without of [null, spec(), { ...spec(limited(1)), enforcement: 'disabled' as const }]) {
      const policy = live(spec(limited(1)));
      const admission = admissionOf(policy);
      const waiters = [new Request(), new Request(), new Request()];
      admission.enter(new Request(), 0);
      for (const waiter of waiters) admission.enter(waiter, 0);

      policy.apply(without, origin(2), 5000);
      expect(policy.inbound.admission).toBeNull();
      expect(waiters.map((waiter) => [waiter.admitted, waiter.refusedFor])).toEqual(waiters.map(() => [true, 0]));
      for (let i = 0; i < 4; i++) admission.leave(5001);
      expect(admission.inFlight).toBe(0);
    }
  });

  it('remembers who is still in flight when a limit comes back', () => {
    const policy = live(spec(limited(1)));
    const longStream = admissionOf(policy);
    longStream.enter(new Request(), 0);
    policy.apply(null, origin(2), 1);
    policy.apply(spec(limited(1)), origin(3), 2);
    expect(admissionOf(policy).enter(new Request(), 3)).toBe(-1);
    longStream.leave(4);
    expect(admissionOf(policy).inFlight).toBe(1);
  });

  it('refuses the newest waiters when the queue shrinks under them', () => {
    const policy = live(spec(limited(1)));
    const admission = admissionOf(policy);
    const [oldest, newest] = [new Request(), new Request()];
    for (const request of [new Request(), oldest, newest]) admission.enter(request, 0);
    policy.apply(spec({ ...limited(1), queue: { requestsMax: 1 } }), origin(2), 1);
    expect([oldest.refusedFor, newest.refusedFor]).toEqual([0, Reason.queueFull]);
  });

  it('lets waiters through when enforcement turns to shadow, and enforces on the same permits when it turns back', () => {
    const policy = live(spec(limited(1)));
    const admission = admissionOf(policy);
    const waiter = new Request();
    admission.enter(new Request(), 0);
    admission.enter(waiter, 0);
    policy.apply({ ...spec(limited(1)), enforcement: 'shadow' }, origin(2), 1);
    expect(waiter.admitted).toBe(true);
    expect(policy.inbound).toMatchObject({ shadow: true, admission, concurrencyLimit: 1 });
    expect([admission.inFlight, admission.enter(new Request(), 1)]).toEqual([2, -1]);
    policy.apply(spec(limited(1)), origin(3), 2);
    expect([admission.inFlight, admission.enter(new Request(), 2)]).toEqual([3, -1]);
  });

  it('shows the new policy to whoever is admitted by the swap', () => {
    const policy = live(spec(limited(1)));
    let seen = 0;
    const waiter = new Request();
    waiter.onAdmitted = () => {
      seen = policy.version;
    };
    admissionOf(policy).enter(new Request(), 0);
    admissionOf(policy).enter(waiter, 0);
    policy.apply(spec(limited(2)), origin(2), 1);
    expect(seen).toBe(2);
  });

  it('keeps an open breaker open when its numbers change, and begins anew after there was none', () => {
    const causes: string[] = [];
    const policy = new LivePolicy('shop/payments', (transition) => causes.push(transition.cause));
    const breaker = (openFor: string) => spec({}, { circuitBreaker: { consecutiveFailures: 2, openFor } });
    policy.apply(breaker('1s'), origin(1), 0);
    const first = policy.outbound.breaker!;
    for (let i = 0; i < 2; i++) {
      expect(first.tryAcquire(i)).toBe(0);
      first.record(Outcome.failure, 1, first.lastAcquireWasProbe, first.generation, i);
    }
    expect(first.state).toBe(BreakerState.open);
    expect(causes).toEqual(['2 consecutive failures']);

    policy.apply(breaker('2s'), origin(2), 10);
    expect(policy.outbound.breaker).toBe(first);
    expect(first.state).toBe(BreakerState.open);

    policy.apply(spec(), origin(3), 20);
    expect(policy.outbound.breaker).toBeNull();
    policy.apply(breaker('2s'), origin(4), 30);
    expect(policy.outbound.breaker).not.toBe(first);
    expect(policy.outbound.breaker!.state).toBe(BreakerState.closed);
  });

  it('forgets the verdict of the fleet when the policy leaves the fleet', () => {
    const breaker = (enabled: boolean) => spec({}, { circuitBreaker: { fleet: { enabled } } });
    const policy = live(breaker(true));
    const { breaker: held } = policy.outbound;
    held!.applyFleet(
      { state: 'open', generation: 1, epoch: '0001', ttlMs: 10_000, allow: 0, evidence: '3 of 3 callers' },
      0,
    );
    expect(held!.tryAcquire(1)).toBeGreaterThan(0);
    policy.apply(breaker(false), origin(2), 2);
    expect(policy.outbound).toMatchObject({ breaker: held, fleetBreaker: false });
    expect(held!.tryAcquire(3)).toBe(0);
  });

  it('loses no permit and no waiter, whatever is swapped under whatever traffic', () => {
    const specs: (PolicySpec | null)[] = [
      null,
      spec(),
      spec(limited(1)),
      spec(limited(3)),
      spec({ concurrency: { fixed: { limit: 2 } } }),
      spec({ ...limited(2), queue: { requestsMax: 2, waitMax: '5ms' } }),
      { ...spec(limited(1)), enforcement: 'shadow' },
      { ...spec(limited(1)), enforcement: 'disabled' },
    ];
    const step = fc.oneof(
      fc.constant({ kind: 'arrive' as const }),
      fc.record({ kind: fc.constant('finish' as const), which: fc.nat(20) }),
      fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(20) }),
      fc.record({ kind: fc.constant('swap' as const), which: fc.nat(specs.length - 1) }),
      fc.constant({ kind: 'expire' as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const policy = new LivePolicy('shop/payments');
        let nowMs = 0;
        let ends = 0;
        let arrivals = 0;
        const waiting = new Set<Request>();
        const held: Admission[] = [];
        const arrive = (): void => {
          arrivals++;
          const { admission } = policy.inbound;
          if (admission === null) {
            ends++;
            return;
          }
          const request = new Request();
          request.onAdmitted = () => {
            expect(waiting.delete(request)).toBe(true);
            held.push(admission);
          };
          request.onRefused = () => {
            expect(waiting.delete(request)).toBe(true);
            ends++;
          };
          const decision = admission.enter(request, nowMs);
          if (decision === 0) held.push(admission);
          else if (decision < 0) waiting.add(request);
          else ends++;
        };
        const finish = (which: number): void => {
          const [admission] = held.splice(which % Math.max(1, held.length), 1);
          if (admission === undefined) return;
          ends++;
          admission.leave(nowMs);
        };
        for (const one of steps) {
          nowMs += 1;
          if (one.kind === 'arrive') arrive();
          else if (one.kind === 'finish') finish(one.which);
          else if (one.kind === 'swap') policy.apply(specs[one.which] ?? null, origin(nowMs), nowMs);
          else if (one.kind === 'expire') policy.inbound.admission?.expire(nowMs);
          else {
            const request = [...waiting][one.which];
            if (request === undefined) continue;
            waiting.delete(request);
            ends++;
            expect(policy.inbound.admission?.cancel(request, nowMs)).toBe(true);
          }
          if (policy.inbound.admission === null) expect(waiting.size).toBe(0);
        }
        policy.apply(null, origin(nowMs + 1), nowMs + 1);
        expect(waiting.size).toBe(0);
        const admissions = new Set(held);
        while (held.length > 0) finish(0);
        expect(ends).toBe(arrivals);
        for (const admission of admissions) expect([admission.inFlight, admission.queued]).toEqual([0, 0]);
      }),
      { numRuns: 500 },
    );
  });
});
