/** Admission, first come first served, under any order of events, against a model that is as plain as possible. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import { Admission, type AdmissionSettings, Decision } from '../../../sidecar/admission/admission.ts';
import { fifo } from '../../../sidecar/admission/queue-settings.ts';
import { TestWaiter } from './test-waiter.ts';

const settings: fc.Arbitrary<AdmissionSettings> = fc.record({
  limit: fc.integer({ min: 1, max: 4 }),
  queue: fc.option(
    fc
      .record({
        requestsMax: fc.integer({ min: 1, max: 6 }),
        bytesMax: fc.integer({ min: 0, max: 60 }),
        waitMaxMs: fc.integer({ min: 1, max: 30 }),
      })
      .map((bounds) => ({ ...fifo, ...bounds })),
  ),
});

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('enter' as const), bytes: fc.nat(20), finishesAtOnce: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reconfigure' as const), settings }) },
);

it('Admission conserves permits and keeps its three bounds under any order of events', () => {
  fc.assert(
    fc.property(settings, fc.array(step, { maxLength: 80 }), (initial, steps) => {
      const admission = new Admission(initial);
      let current = initial;
      let nowMs = 0;
      let permits = 0;
      let mostPermits = initial.limit;
      const waiting: { waiter: TestWaiter; enteredMs: number }[] = [];
      const gone = new Set<TestWaiter>();

      const forget = (waiter: TestWaiter): number => {
        const index = waiting.findIndex((entry) => entry.waiter === waiter);
        expect(index).toBeGreaterThanOrEqual(0);
        waiting.splice(index, 1);
        gone.add(waiter);
        return index;
      };
      const create = (id: number, bytes: number, finishesAtOnce: boolean): TestWaiter => {
        const waiter = new TestWaiter(id, bytes);
        waiter.onAdmitted = (atMs) => {
          expect(atMs).toBe(nowMs);
          // First come, first served, and never past the longest wait.
          const entry = waiting.find((candidate) => candidate.waiter === waiter)!;
          if (current.queue) expect(nowMs - entry.enteredMs).toBeLessThan(current.queue.waitMaxMs);
          expect(forget(waiter)).toBe(0);
          permits++;
          expect(permits).toBeLessThanOrEqual(current.limit);
          if (finishesAtOnce) {
            permits--;
            admission.leave(nowMs);
          }
        };
        waiter.onRefused = (reason, atMs) => {
          expect(atMs).toBe(nowMs);
          const length = waiting.length;
          const index = forget(waiter);
          // Time takes the oldest, a smaller queue the newest.
          expect(index).toBe(reason === Reason.queueTimeout ? 0 : length - 1);
        };
        return waiter;
      };

      for (const [id, action] of steps.entries()) {
        switch (action.kind) {
          case 'enter': {
            const waiter = create(id, action.bytes, action.finishesAtOnce);
            const free = permits < current.limit && waiting.length === 0;
            const bytes = waiting.reduce((sum, entry) => sum + entry.waiter.bytes, action.bytes);
            const fits = current.queue && waiting.length < current.queue.requestsMax && bytes <= current.queue.bytesMax;
            const decision = admission.enter(waiter, nowMs);
            expect(decision).toBe(free ? Decision.admitted : fits ? Decision.queued : Reason.queueFull);
            if (decision === Decision.admitted) permits++;
            if (decision === Decision.queued) waiting.push({ waiter, enteredMs: nowMs });
            break;
          }
          case 'leave':
            if (permits === 0) break;
            permits--;
            admission.leave(nowMs);
            break;
          case 'cancel': {
            const known = [...waiting.map((entry) => entry.waiter), ...gone];
            const waiter = known[action.pick % Math.max(1, known.length)];
            if (!waiter) break;
            const isWaiting = waiting.some((entry) => entry.waiter === waiter);
            expect(admission.cancel(waiter, nowMs)).toBe(isWaiting);
            if (isWaiting) forget(waiter);
            break;
          }
          case 'expire':
            admission.expire(nowMs);
            if (current.queue) {
              for (const { enteredMs } of waiting) expect(nowMs - enteredMs).toBeLessThan(current.queue.waitMaxMs);
            }
            break;
          case 'wait':
            nowMs += action.ms;
            break;
          case 'reconfigure':
            current = action.settings;
            mostPermits = Math.max(mostPermits, current.limit);
            admission.reconfigure(current, nowMs);
            break;
        }
        expect(admission.inFlight).toBe(permits);
        expect(permits).toBeLessThanOrEqual(mostPermits);
        expect(admission.queued).toBe(waiting.length);
        expect(admission.queuedBytes).toBe(waiting.reduce((sum, entry) => sum + entry.waiter.bytes, 0));
        expect(waiting.length).toBeLessThanOrEqual(current.queue?.requestsMax ?? 0);
        expect(admission.queuedBytes).toBeLessThanOrEqual(current.queue?.bytesMax ?? 0);
        // Nobody waits while a permit is free.
        if (permits < current.limit) expect(waiting).toEqual([]);
        const retryMs = admission.retryAfterMs(nowMs);
        expect(Number.isInteger(retryMs) && retryMs >= 1 && retryMs <= 10_000).toBe(true);
        for (const waiter of gone) expect(waiter.queueSlot).toBe(-1);
      }
    }),
    { numRuns: 1000 },
  );
});
