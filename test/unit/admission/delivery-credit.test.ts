/** What the app wants is what it gets, and no request more, whatever limits, threads and callers do meanwhile. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import { Admission, Decision } from '../../../sidecar/admission/admission.ts';
import { DeliveryCredit, deliveryCreditMax } from '../../../sidecar/admission/delivery-credit.ts';
import { fifo } from '../../../sidecar/admission/queue-settings.ts';
import { TestWaiter } from './test-waiter.ts';

const queue = { ...fifo, requestsMax: 100, bytesMax: 1e6, waitMaxMs: 1e9 };

describe('DeliveryCredit', () => {
  it('gives without counting while open, and exactly what was asked for afterwards', () => {
    const credit = new DeliveryCredit();
    expect([credit.isOpen, credit.remaining, credit.tryTake()]).toEqual([true, Number.POSITIVE_INFINITY, true]);
    credit.add(2);
    expect([credit.tryTake(), credit.tryTake(), credit.tryTake(), credit.remaining]).toEqual([true, true, false, 0]);
    credit.open();
    expect(credit.tryTake()).toBe(true);
  });

  it('adds up to its bound and no further', () => {
    const credit = new DeliveryCredit();
    credit.add(deliveryCreditMax);
    credit.add(5);
    expect(credit.remaining).toBe(deliveryCreditMax);
  });

  it('is the same in all threads that have its memory', () => {
    const memory = new SharedArrayBuffer(DeliveryCredit.bytes);
    const [one, other] = [new DeliveryCredit(memory), new DeliveryCredit(memory)];
    one.add(1);
    expect([other.tryTake(), one.tryTake()]).toEqual([true, false]);
  });
});

describe('Admission with an app that counts', () => {
  it('delivers n after "n more", holds the next, and delivers it when asked again', () => {
    const credit = new DeliveryCredit();
    const admission = new Admission({ limit: 10, queue }, { delivery: credit });
    credit.add(2);
    const waiters = [0, 1, 2, 3].map((id) => new TestWaiter(id));
    expect(waiters.map((waiter) => admission.enter(waiter, 0))).toEqual([
      Decision.admitted,
      Decision.admitted,
      Decision.queued,
      Decision.queued,
    ]);
    credit.add(1);
    admission.onCredit(1);
    expect(waiters.map(({ heard }) => heard)).toEqual([[], [], ['admitted at 1'], []]);
    admission.leave(2);
    expect(waiters[3]!.heard).toEqual([]);
    credit.open();
    admission.onCredit(3);
    expect(waiters[3]!.heard).toEqual(['admitted at 3']);
  });

  it('refuses as paused where nothing may wait', () => {
    const credit = new DeliveryCredit();
    credit.pause();
    const admission = new Admission({ limit: 10, queue: null }, { delivery: credit });
    expect(admission.enter(new TestWaiter(0), 0)).toBe(Reason.paused);
  });

  it('never delivers more than was asked for, whatever comes, goes and is asked in which order', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('enter' as const) }),
      fc.record({ kind: fc.constant('leave' as const) }),
      fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(50) }),
      fc.record({ kind: fc.constant('more' as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('pause' as const) }),
      fc.record({ kind: fc.constant('limit' as const), limit: fc.integer({ min: 1, max: 6 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const credit = new DeliveryCredit();
        credit.pause();
        const admission = new Admission({ limit: 4, queue }, { delivery: credit });
        const waiters: TestWaiter[] = [];
        let direct = 0;
        let left = 0;
        let asked = 0;
        const delivered = (): number => direct + waiters.filter(isDelivered).length;
        for (const [nowMs, one] of steps.entries()) {
          if (one.kind === 'enter') {
            const waiter = new TestWaiter(nowMs);
            const decision = admission.enter(waiter, nowMs);
            if (decision === Decision.admitted) direct++;
            else if (decision === Decision.queued) waiters.push(waiter);
          } else if (one.kind === 'leave' && delivered() > left) {
            left++;
            admission.leave(nowMs);
          } else if (one.kind === 'cancel') {
            const waiter = waiters[one.which];
            if (waiter !== undefined && !isDelivered(waiter)) admission.cancel(waiter, nowMs);
          } else if (one.kind === 'more') {
            asked += one.count;
            credit.add(one.count);
            admission.onCredit(nowMs);
          } else if (one.kind === 'pause') {
            asked -= credit.remaining;
            credit.pause();
          } else if (one.kind === 'limit') admission.reconfigure({ limit: one.limit, queue }, nowMs);
          expect(delivered()).toBeLessThanOrEqual(asked);
          expect(delivered() + credit.remaining).toBe(asked);
        }
      }),
    );
  });
});

function isDelivered({ heard }: TestWaiter): boolean {
  return heard.some((line) => line.startsWith('admitted'));
}
