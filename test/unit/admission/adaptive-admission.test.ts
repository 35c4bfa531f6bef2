/** An admission whose limit moves: permits are conserved whatever the order of events, and the limit keeps its bounds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission, type AdmissionSettings, Decision } from '../../../sidecar/admission/admission.ts';
import type { AlgorithmSettings } from '../../../sidecar/admission/concurrency/algorithm.ts';
import { fifo } from '../../../sidecar/admission/queue-settings.ts';
import { TestWaiter } from './test-waiter.ts';

const aimd: AlgorithmSettings = { kind: 'aimd', min: 1, max: 50, initial: 2, backoff: 0.5, timeoutMs: 1000 };

const queue = { ...fifo, requestsMax: 10, bytesMax: 10_000, waitMaxMs: 500 };

describe('Admission with an algorithm', () => {
  it('admits who waits as soon as a sample lets the limit rise', () => {
    const admission = new Admission({ limit: 2, algorithm: aimd, queue });
    const waiter = new TestWaiter(3);
    for (let i = 0; i < 2; i++) expect(admission.enter(new TestWaiter(i), 0)).toBe(Decision.admitted);
    expect(admission.enter(waiter, 0)).toBe(Decision.queued);
    admission.sample(5, false, 7);
    expect([admission.limit, admission.inFlight, admission.queued, waiter.heard]).toEqual([3, 3, 0, ['admitted at 7']]);
  });

  it('lets nobody in above a limit that fell, until enough have left', () => {
    const admission = new Admission({ limit: 4, algorithm: { ...aimd, initial: 4 }, queue: null });
    for (let i = 0; i < 4; i++) admission.enter(new TestWaiter(i), 0);
    admission.sample(5, true, 1);
    expect(admission.limit).toBe(2);
    for (const inFlight of [3, 2]) {
      admission.leave(2);
      expect(admission.inFlight).toBe(inFlight);
      expect(admission.enter(new TestWaiter(9), 2)).toBeGreaterThan(0);
    }
    admission.leave(3);
    expect(admission.enter(new TestWaiter(9), 3)).toBe(Decision.admitted);
  });

  it('gives long streams places beside the limit, as many as there may be', () => {
    const admission = new Admission({ limit: 1, queue: null, streamsMax: 2 });
    expect([admission.enterStreams(), admission.enterStreams(), admission.enterStreams()]).toEqual([true, true, false]);
    expect([admission.longStreams, admission.inFlight]).toEqual([2, 0]);
    admission.leaveStreams();
    expect(admission.enterStreams()).toBe(true);
  });

  it('frees the long streams of a dead thread', () => {
    const memory = new SharedArrayBuffer(Admission.bytesFor(2));
    const seats = [0, 1].map((index) => ({ index, count: 2, wake: () => {} }));
    const [one, two] = seats.map((seat) => new Admission({ limit: 1, queue: null, streamsMax: 2 }, { seat, memory }));
    one!.enterStreams();
    two!.enterStreams();
    expect(one!.enterStreams()).toBe(false);
    one!.abandon(1, 0);
    expect([one!.longStreams, one!.enterStreams()]).toEqual([1, true]);
  });
});

const algorithms = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.nat(6), fc.nat(6))
  .chain(([min, a, b]) =>
    fc.constantFrom<AlgorithmSettings>(
      { kind: 'vegasBdp', min, initial: min + a, max: min + a + b },
      { kind: 'aimd', min, initial: min + a, max: min + a + b, backoff: 0.7, timeoutMs: 40 },
      { kind: 'vegas', min, initial: min + a, max: min + a + b, smoothing: 1 },
      { kind: 'fixed', limit: min + a },
    ),
  );
const settings: fc.Arbitrary<AdmissionSettings> = fc.record({
  limit: fc.constant(3),
  algorithm: algorithms,
  streamsMax: fc.nat(3),
  queue: fc.option(fc.integer({ min: 1, max: 6 }).map((requestsMax) => ({ ...queue, requestsMax }))),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('enter' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      pick: fc.nat(30),
      rttMs: fc.nat(60),
      isDrop: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('stream' as const), pick: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('endStream' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('swap' as const), settings }) },
);

function boundsOf({ algorithm }: AdmissionSettings): [min: number, max: number] {
  if (algorithm === undefined) return [0, 0];
  return algorithm.kind === 'fixed' ? [algorithm.limit, algorithm.limit] : [algorithm.min, algorithm.max];
}

it('Admission conserves permits and places whatever the order of samples, ends, streams, cancels and swaps', () => {
  fc.assert(
    fc.property(settings, fc.array(step, { maxLength: 150 }), (initial, steps) => {
      const admission = new Admission(initial);
      let current = initial;
      let nowMs = 0;
      let id = 0;
      const holding: TestWaiter[] = [];
      const waiting = new Set<TestWaiter>();
      let streams = 0;
      for (const action of steps) {
        switch (action.kind) {
          case 'enter': {
            const waiter = new TestWaiter(id++);
            waiter.onAdmitted = () => {
              waiting.delete(waiter);
              holding.push(waiter);
              expect(admission.inFlight).toBeLessThanOrEqual(admission.limit);
            };
            waiter.onRefused = () => waiting.delete(waiter);
            const free = admission.inFlight < admission.limit;
            const decision = admission.enter(waiter, nowMs);
            expect(decision === Decision.admitted).toBe(free);
            if (decision === Decision.admitted) holding.push(waiter);
            if (decision === Decision.queued) waiting.add(waiter);
            break;
          }
          case 'end': {
            if (holding.length === 0) break;
            holding.splice(action.pick % holding.length, 1);
            admission.sample(action.rttMs, action.isDrop, nowMs);
            // Still in flight; who was let in by the sample is counted already.
            admission.leave(nowMs);
            break;
          }
          case 'stream':
            if (holding.length === 0 || !admission.enterStreams()) break;
            streams++;
            holding.splice(action.pick % holding.length, 1);
            admission.leave(nowMs);
            break;
          case 'endStream':
            if (streams === 0) break;
            streams--;
            admission.leaveStreams();
            break;
          case 'cancel': {
            const waiter = [...waiting][action.pick % Math.max(1, waiting.size)];
            if (waiter === undefined) break;
            waiting.delete(waiter);
            expect(admission.cancel(waiter, nowMs)).toBe(true);
            break;
          }
          case 'wait':
            nowMs += action.ms;
            admission.expire(nowMs);
            break;
          case 'swap':
            current = action.settings;
            admission.reconfigure(current, nowMs);
            break;
        }
        const [min, max] = boundsOf(current);
        expect(admission.limit).toBeGreaterThanOrEqual(min);
        expect(admission.limit).toBeLessThanOrEqual(max);
        expect([admission.inFlight, admission.queued, admission.longStreams]).toEqual([
          holding.length,
          waiting.size,
          streams,
        ]);
        if (admission.inFlight < admission.limit) expect(waiting.size).toBe(0);
      }
    }),
    { numRuns: 400 },
  );
});
