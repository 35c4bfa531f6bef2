/**
 * Limits that threads share, with the threads played one step at a time: seats over one memory. What real threads do to
 * them at once is in test/unit/threads.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import { Admission, type AdmissionSettings, Decision } from '../../../sidecar/admission/admission.ts';
import { fifo } from '../../../sidecar/admission/queue-settings.ts';
import { SingleRateLimiter } from '../../../sidecar/admission/rate-limiter.ts';
import { overseer } from '../../../sidecar/admission/seat.ts';
import { SharedKeyedRateLimiter } from '../../../sidecar/admission/shared-keyed-rate-limiter.ts';
import { WaitingLine } from '../../../sidecar/admission/waiting-line.ts';
import { expectBound, meters, type Passage } from './arrivals.ts';
import { TestWaiter } from './test-waiter.ts';

const queue = { ...fifo, requestsMax: 3, bytesMax: 100, waitMaxMs: 200 };

function seats(count: number, settings: AdmissionSettings): { all: Admission[]; overseer: Admission; woken: number[] } {
  const memory = new SharedArrayBuffer(Admission.bytesFor(count));
  const woken: number[] = [];
  const at = (index: number): Admission =>
    new Admission(settings, { seat: { index, count, wake: (seat) => woken.push(seat) }, memory });
  return { all: Array.from({ length: count }, (_, i) => at(i)), overseer: at(overseer), woken };
}

describe('SingleRateLimiter over shared memory', () => {
  it('is one bucket for all threads', () => {
    const bucket = { kind: 'tokenBucket', ratePerSecond: 10, burst: 3 } as const;
    const memory = new SharedArrayBuffer(SingleRateLimiter.bytesFor(bucket));
    const [a, b] = [1, 2].map((owner) => new SingleRateLimiter(bucket, memory, owner));
    expect([a!, b!, a!, b!, a!].map((limiter) => limiter.tryAcquire('', 1000))).toEqual([0, 0, 0, 100, 100]);
  });
});

describe('SharedKeyedRateLimiter', () => {
  const slow = { kind: 'tokenBucket', ratePerSecond: 1, burst: 1 } as const;
  const memoryFor = (keysMax: number): SharedArrayBuffer =>
    new SharedArrayBuffer(SharedKeyedRateLimiter.bytesFor(slow, keysMax));
  const limiter = (keysMax: number, memory = memoryFor(keysMax), owner = 1): SharedKeyedRateLimiter =>
    new SharedKeyedRateLimiter(slow, keysMax, { memory, owner, seeds: [7, 9] });

  it('gives every key a bucket of its own, the same one in all threads', () => {
    const memory = memoryFor(1000);
    const [a, b] = [limiter(1000, memory, 1), limiter(1000, memory, 2)];
    for (let i = 0; i < 1000; i++) expect([i, (i % 2 ? a : b).tryAcquire(`key-${i}`, 10)]).toEqual([i, 0]);
    for (let i = 0; i < 1000; i++) expect((i % 2 ? b : a).tryAcquire(`key-${i}`, 10)).toBe(1000);
    expect([a.size, b.size, a.overflows]).toEqual([1000, 1000, 0]);
  });

  it('lets newcomers share one bucket when all keys are in use, and forgets keys whose bucket is full again', () => {
    const one = limiter(4);
    for (const key of ['a', 'b', 'c', 'd']) expect(one.tryAcquire(key, 0)).toBe(0);
    expect([one.tryAcquire('e', 0), one.tryAcquire('f', 0)]).toEqual([0, 1000]);
    expect([one.size, one.overflows]).toEqual([4, 2]);
    expect([one.tryAcquire('e', 1001), one.tryAcquire('f', 1001)]).toEqual([0, 0]);
    expect([one.size, one.overflows]).toEqual([4, 2]);
  });

  it('tells long keys, and keys with wide characters, apart by all they have', () => {
    const one = limiter(100);
    const keys = ['x'.repeat(5000), `${'x'.repeat(4999)}y`, 'ā', 'a', 'a\0', '', '\0'];
    expect(keys.map((key) => one.tryAcquire(key, 0))).toEqual(keys.map(() => 0));
    expect(keys.map((key) => one.tryAcquire(key, 0))).toEqual(keys.map(() => 1000));
  });

  it('fills to nine tenths of its keys without an overflow', () => {
    const one = limiter(10_000);
    for (let i = 0; i < 9_000; i++) one.tryAcquire(`client-${i}`, 0);
    expect([one.size, one.overflows]).toEqual([9_000, 0]);
  });

  it('keeps what each meter promises for every key, whichever thread asks', () => {
    const asked = fc.array(fc.record({ id: fc.nat(5), thread: fc.nat(1), gapMs: fc.nat(40) }), { maxLength: 150 });
    fc.assert(
      fc.property(meters, fc.integer({ min: 1, max: 6 }), asked, (options, keysMax, requests) => {
        const memory = new SharedArrayBuffer(SharedKeyedRateLimiter.bytesFor(options, keysMax));
        const threads = [1, 2].map(
          (owner) => new SharedKeyedRateLimiter(options, keysMax, { memory, owner, seeds: [3, 4] }),
        );
        const own = new Map<number, Passage[]>();
        const overflow: Passage[] = [];
        let nowMs = 0;
        for (const { id, thread, gapMs } of requests) {
          nowMs += gapMs;
          const one = threads[thread]!;
          const before = one.overflows;
          const answer = one.tryAcquire(`key-${id}`, nowMs);
          if (answer > 0) continue;
          const passage = { atMs: nowMs - answer, cost: 1 };
          if (one.overflows > before) overflow.push(passage);
          else own.set(id, [...(own.get(id) ?? []), passage]);
        }
        expect(threads[0]!.size).toBeLessThanOrEqual(keysMax);
        for (const passages of own.values()) expectBound(passages, options);
        expectBound(overflow, options);
      }),
      { numRuns: 300 },
    );
  });

  it('never forgets a key that is being limited, however many keys a stranger makes up', () => {
    const one = limiter(50);
    expect(one.tryAcquire('known', 0)).toBe(0);
    for (let i = 0; i < 100_000; i++) one.tryAcquire(`stranger-${i}`, i / 1000);
    expect(one.tryAcquire('known', 100)).toBe(900);
    expect(one.size).toBeLessThanOrEqual(50);
  });
});

describe('WaitingLine', () => {
  it('lets no more wait than its bound, in all threads together, and gets back what a dead thread held', () => {
    const memory = new SharedArrayBuffer(WaitingLine.bytesFor(2));
    const [a, b] = [0, 1].map((seat) => new WaitingLine(3, { index: seat, count: 2, wake: () => {} }, memory));
    expect([a!, b!, b!, a!, b!].map((line) => line.tryEnter())).toEqual([true, true, true, false, false]);
    a!.leave();
    expect([a!.size, b!.tryEnter(), b!.size, a!.tryEnter()]).toEqual([2, true, 3, false]);
    a!.abandon(1);
    expect([a!.size, a!.tryEnter(), a!.size]).toEqual([0, true, 1]);
  });
});

describe('Admission with several seats', () => {
  it('counts permits of all threads against one limit, and queues of all against one bound', () => {
    const { all } = seats(2, { limit: 2, queue: { ...queue, requestsMax: 2 } });
    const [a, b] = [all[0]!, all[1]!];
    const enter = (admission: Admission, id: number) => admission.enter(new TestWaiter(id), 0);
    expect([enter(a, 0), enter(b, 1)]).toEqual([Decision.admitted, Decision.admitted]);
    expect([enter(a, 2), enter(b, 3), enter(a, 4)]).toEqual([Decision.queued, Decision.queued, Reason.queueFull]);
    expect([a.inFlight, b.inFlight, a.queued, b.queuedBytes]).toEqual([2, 2, 2, 20]);
  });

  it('grants a freed permit to whoever has waited longest, in another thread by waking it', () => {
    const { all, woken } = seats(2, { limit: 1, queue });
    const [a, b] = [all[0]!, all[1]!];
    const [first, second] = [new TestWaiter(1), new TestWaiter(2)];
    a.enter(new TestWaiter(0), 0);
    b.enter(first, 1);
    a.enter(second, 2);
    a.leave(10);
    expect([woken, first.heard, second.heard]).toEqual([[1], [], []]);
    expect(a.enter(new TestWaiter(3), 10)).toBe(Decision.queued);
    b.onGranted(11);
    expect([first.heard, second.heard]).toEqual([['admitted at 11'], []]);
    b.leave(20);
    expect(woken).toEqual([1, 0]);
    // A waking that never came is made good by the tick.
    a.expire(25);
    expect(second.heard).toEqual(['admitted at 25']);
  });

  it('passes a granted permit on when the waiter went away before its thread looked', () => {
    const { all, woken } = seats(2, { limit: 1, queue });
    const [a, b] = [all[0]!, all[1]!];
    const [gone, next] = [new TestWaiter(1), new TestWaiter(2)];
    a.enter(new TestWaiter(0), 0);
    b.enter(gone, 1);
    a.enter(next, 2);
    a.leave(3);
    expect(b.cancel(gone, 4)).toBe(true);
    expect(woken).toEqual([1, 0]);
    a.onGranted(5);
    expect(next.heard).toEqual(['admitted at 5']);
    a.leave(6);
    expect([a.inFlight, a.queued]).toEqual([0, 0]);
  });

  it('gets back what a dead thread held, and lets others in for it', () => {
    const { all, overseer, woken } = seats(2, { limit: 3, queue });
    const [dead, alive] = [all[0]!, all[1]!];
    for (let i = 0; i < 3; i++) dead.enter(new TestWaiter(i), 0);
    dead.enter(new TestWaiter(3), 1);
    const waiter = new TestWaiter(4);
    alive.enter(waiter, 2);
    overseer.abandon(0, 5);
    expect(woken).toEqual([1]);
    alive.onGranted(6);
    expect(waiter.heard).toEqual(['admitted at 6']);
    expect([alive.inFlight, alive.queued, alive.queuedBytes]).toEqual([1, 0, 0]);
  });

  it('keeps its bounds, overtakes nobody and loses nothing under any order of events of three threads', () => {
    const step = fc.record({
      seat: fc.nat(2),
      kind: fc.constantFrom('enter', 'enter', 'leave', 'leave', 'look', 'cancel', 'expire', 'limit', 'die'),
      pick: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let settings: AdmissionSettings = { limit: 2, queue };
        const { all, overseer } = seats(3, settings);
        const held = [0, 0, 0];
        const waiting: TestWaiter[][] = [[], [], []];
        let nowMs = 0;
        let most = 2;
        const total = () => held.reduce((sum, count) => sum + count, 0);
        for (const [id, { seat, kind, pick }] of steps.entries()) {
          nowMs += 1 + pick * 3;
          const admission = all[seat]!;
          if (kind === 'enter') {
            const waiter = new TestWaiter(id);
            const leaves = (): void => {
              expect(waiting[seat]!.shift()).toBe(waiter);
            };
            waiter.onAdmitted = () => {
              leaves();
              held[seat]! += 1;
            };
            waiter.onRefused = leaves;
            const decision = admission.enter(waiter, nowMs);
            if (decision === Decision.admitted) held[seat]! += 1;
            if (decision === Decision.queued) waiting[seat]!.push(waiter);
          } else if (kind === 'leave' && held[seat]! > 0) {
            held[seat]! -= 1;
            admission.leave(nowMs);
          } else if (kind === 'look') admission.onGranted(nowMs);
          else if (kind === 'expire') admission.expire(nowMs);
          else if (kind === 'cancel' && waiting[seat]!.length > 0) {
            const [gone] = waiting[seat]!.splice(pick % waiting[seat]!.length, 1);
            expect(admission.cancel(gone!, nowMs)).toBe(true);
          } else if (kind === 'limit') {
            settings = { limit: 1 + pick, queue };
            most = Math.max(most, settings.limit);
            for (const each of [overseer, ...all]) each.reconfigure(settings, nowMs);
          } else if (kind === 'die' && pick === 0) {
            // A new thread takes the seat; the dead one's queue and permits are gone.
            overseer.abandon(seat, nowMs);
            held[seat] = 0;
            waiting[seat] = [];
            break;
          }
          expect(total()).toBeLessThanOrEqual(most);
          expect(admission.inFlight).toBeGreaterThanOrEqual(total());
          expect(admission.queued).toBe(waiting.reduce((sum, list) => sum + list.length, 0));
          expect(admission.queued).toBeLessThanOrEqual(queue.requestsMax);
        }
        // Once everybody has looked, nobody waits while a permit is free; and all of it comes back.
        for (let round = 0; round < 40; round++) {
          for (const [seat, admission] of all.entries()) {
            admission.onGranted(nowMs);
            while (held[seat]! > 0) {
              held[seat]! -= 1;
              admission.leave(nowMs);
            }
          }
        }
        const { inFlight, queued, queuedBytes } = overseer;
        const stillWaiting = waiting.reduce((sum, list) => sum + list.length, 0);
        expect([inFlight, queued, queuedBytes, stillWaiting]).toEqual([0, 0, 0, 0]);
      }),
      { numRuns: 500 },
    );
  });
});
