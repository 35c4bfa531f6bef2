/** Every combination of the queue's discipline, under any order of events: its bounds, its books, and its fairness. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import { tierCount } from '../../../proto/tiers.ts';
import {
  Admission,
  type AdmissionSettings,
  Decision,
  type QueueSettings,
} from '../../../sidecar/admission/admission.ts';
import { fifo } from '../../../sidecar/admission/queue-settings.ts';
import { TestWaiter } from './test-waiter.ts';

const queue: fc.Arbitrary<QueueSettings> = fc.record({
  requestsMax: fc.integer({ min: 1, max: 8 }),
  bytesMax: fc.integer({ min: 0, max: 80 }),
  waitMaxMs: fc.integer({ min: 1, max: 60 }),
  priority: fc.boolean(),
  byUserLevel: fc.boolean(),
  tenantsMax: fc.constantFrom(0, 2, 100),
  tenantWeights: fc.constantFrom({}, { a: 3 }),
  intervalMs: fc.integer({ min: 1, max: 30 }),
  targetMs: fc.constantFrom(0, 5),
  adaptiveLifo: fc.boolean(),
  deadlineMargin: fc.boolean(),
  whenFull: fc.constantFrom('newest' as const, 'oldest' as const, 'random' as const, 'lowestPriority' as const),
});

const settings: fc.Arbitrary<AdmissionSettings> = fc.record({
  limit: fc.integer({ min: 1, max: 4 }),
  queue: fc.option(queue),
  shadow: fc.boolean(),
});

const enter = fc.record({
  kind: fc.constant('enter' as const),
  bytes: fc.nat(30),
  tier: fc.nat(tierCount - 1),
  userLevel: fc.constantFrom(0, 1, 31, 32, 63, 127),
  tenant: fc.constantFrom('', 'a', 'b', 'c', '__proto__'),
  leftMs: fc.constantFrom(0, 1, 10, 100),
  /** What it does when it hears of its end: as callers do, it may give back, or come again. */
  reaction: fc.constantFrom('nothing' as const, 'leaves' as const, 'comes again' as const),
});
type Arrival = typeof enter extends fc.Arbitrary<infer T> ? T : never;
const step = fc.oneof(
  { weight: 8, arbitrary: enter },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('leave' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(15) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reconfigure' as const), settings }) },
);

describe('Admission with any discipline', () => {
  it('keeps its three bounds and conserves permits under any order of events', () => {
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 100 }), (initial, steps) => {
        const admission = new Admission(initial);
        let current = initial;
        let nowMs = 0;
        let permits = 0;
        let [entered, ended] = [0, 0];
        const waiting = new Map<TestWaiter, number>();

        const arrive = (action: Arrival): void => {
          const waiter = new TestWaiter(entered++, action.bytes);
          waiter.tier = action.tier;
          waiter.userLevel = action.userLevel;
          waiter.tenant = action.tenant;
          waiter.deadlineMs = action.leftMs === 0 ? 0 : nowMs + action.leftMs;
          waiter.onAdmitted = () => {
            expect(waiting.delete(waiter)).toBe(true);
            permits++;
            if (action.reaction === 'leaves') leave();
            if (action.reaction === 'comes again') arrive({ ...action, reaction: 'nothing' });
          };
          waiter.onRefused = (reason) => {
            expect(reason).toBeGreaterThan(0);
            expect(waiter.queueSlot).toBe(-1);
            expect(waiting.delete(waiter)).toBe(true);
            ended++;
            if (action.reaction === 'comes again') arrive({ ...action, reaction: 'nothing' });
          };
          // It may hear before enter() returns.
          waiting.set(waiter, nowMs);
          const decision = admission.enter(waiter, nowMs);
          if (decision === Decision.queued) return;
          expect(waiting.delete(waiter)).toBe(true);
          if (decision === Decision.admitted) permits++;
          else ended++;
        };
        const leave = (): void => {
          if (permits === 0) return;
          permits--;
          ended++;
          admission.leave(nowMs, 1 + (ended % 20));
        };

        for (const action of steps) {
          if (action.kind === 'enter') arrive(action);
          else if (action.kind === 'leave') leave();
          else if (action.kind === 'wait') nowMs += action.ms;
          else if (action.kind === 'reconfigure') {
            current = action.settings;
            admission.reconfigure(current, nowMs);
          } else if (action.kind === 'cancel') {
            const waiter = [...waiting.keys()][action.pick];
            if (waiter === undefined) continue;
            waiting.delete(waiter);
            ended++;
            expect(admission.cancel(waiter, nowMs)).toBe(true);
          } else {
            admission.expire(nowMs);
            for (const sinceMs of waiting.values()) {
              expect(nowMs - sinceMs).toBeLessThan(current.queue?.waitMaxMs ?? 0);
            }
          }
          const bytes = [...waiting.keys()].reduce((sum, waiter) => sum + waiter.bytes, 0);
          expect([admission.inFlight, admission.queued, admission.queuedBytes]).toEqual([permits, waiting.size, bytes]);
          expect(waiting.size).toBeLessThanOrEqual(current.queue?.requestsMax ?? 0);
          expect(bytes).toBeLessThanOrEqual(current.queue?.bytesMax ?? 0);
          if (permits < current.limit) expect(waiting.size).toBe(0);
          expect(entered).toBe(permits + waiting.size + ended);
        }
        while (permits > 0) leave();
        expect([admission.inFlight, admission.queued, admission.queuedBytes]).toEqual([0, 0, 0]);
        expect(entered).toBe(ended);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('Deficit round robin', () => {
  it('serves tenants that always have somebody waiting by their weights, give or take one turn', () => {
    const arrivals = fc.array(fc.nat(3), { minLength: 20, maxLength: 200 });
    const weights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(arrivals, weights, (order, weightOf) => {
        const names = ['a', 'b', 'c', 'd'];
        const tenantWeights = Object.fromEntries(names.map((name, i) => [name, weightOf[i]!]));
        const bounds = { requestsMax: 1000, bytesMax: 1e6, waitMaxMs: 1e6 };
        const admission = new Admission({ limit: 1, queue: { ...fifo, ...bounds, tenantsMax: 10, tenantWeights } });
        admission.enter(new TestWaiter(0), 0);
        const left = [0, 0, 0, 0];
        const served = [0, 0, 0, 0];
        for (const [id, tenant] of order.entries()) {
          const waiter = new TestWaiter(id);
          waiter.tenant = names[tenant]!;
          waiter.onAdmitted = () => {
            left[tenant]! -= 1;
            served[tenant]! += 1;
          };
          left[tenant]! += 1;
          admission.enter(waiter, 0);
        }
        const backlogged = names.map((_, i) => i).filter((i) => left[i]! > 0);
        while (backlogged.every((i) => left[i]! > 0)) {
          for (const i of backlogged) {
            for (const j of backlogged) {
              // In turns: how many each has had, of which one may be under way.
              const [mine, others] = [served[i]! / weightOf[i]!, served[j]! / weightOf[j]!];
              expect(Math.abs(mine - others)).toBeLessThanOrEqual(1);
            }
          }
          admission.leave(1);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('lets tenants beyond the table share the turn of those who name none', () => {
    const bounds = { requestsMax: 1000, bytesMax: 1e6, waitMaxMs: 1e6 };
    const admission = new Admission({ limit: 1, queue: { ...fifo, ...bounds, tenantsMax: 2 } });
    admission.enter(new TestWaiter(0), 0);
    const heard: string[] = [];
    for (let id = 0; id < 12; id++) {
      const waiter = new TestWaiter(id);
      waiter.tenant = ['a', 'b', 'c', 'd', '', 'e'][id % 6]!;
      waiter.onAdmitted = () => heard.push(waiter.tenant || '-');
      admission.enter(waiter, 0);
    }
    for (let i = 0; i < 12; i++) admission.leave(1);
    expect(heard.join('')).toBe('abcabd-ecd-e');
  });

  it('forgets a tenant when nobody of it waits, so that a stream of new names finds room', () => {
    const bounds = { requestsMax: 10, bytesMax: 1e6, waitMaxMs: 1e6 };
    const admission = new Admission({ limit: 1, queue: { ...fifo, ...bounds, tenantsMax: 2 } });
    admission.enter(new TestWaiter(0), 0);
    for (let round = 0; round < 1000; round++) {
      const heard: string[] = [];
      for (const tenant of ['x', 'x', `t${round}`]) {
        const waiter = new TestWaiter(0);
        waiter.tenant = tenant;
        waiter.onAdmitted = () => heard.push(tenant);
        expect(admission.enter(waiter, round)).toBe(Decision.queued);
      }
      for (let i = 0; i < 3; i++) admission.leave(round);
      expect(heard).toEqual(['x', `t${round}`, 'x']);
    }
    expect(admission.enter(new TestWaiter(0, 1e6 + 1), 0)).toBe(Reason.queueFull);
  });
});
