/** Threads with one breaker in common: whatever thread is asked, it answers as one breaker in one thread would. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Breaker,
  type BreakerSettings,
  BreakerState,
  type BreakerTransition,
} from '../../../sidecar/resilience/breaker.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { SharedBreaker, sharedBreakerBytes } from '../../../sidecar/resilience/shared-breaker.ts';
import { settings } from './breaker-rig.ts';

const threads = 3;
const outcome = fc.constantFrom(Outcome.success, Outcome.failure, Outcome.failure, Outcome.ignored);
const step = fc.record({
  kind: fc.constantFrom('acquire', 'acquire', 'acquire', 'record', 'record', 'wait', 'fleet', 'reconfigure'),
  thread: fc.nat(threads - 1),
  pick: fc.nat(20),
  outcome,
  ms: fc.constantFrom(1, 100, 700, 1500, 6000),
  state: fc.constantFrom('closed', 'open', 'half_open', 'ramp', 'forced_open', 'forced_closed'),
  latencyMs: fc.constantFrom(5, 50, 200),
});
const share = { percent: 50, minRequests: 5 };
const someSettings: BreakerSettings = {
  ...settings,
  consecutiveFailures: 4,
  failureRatio: { ...share, windowMs: 0, windowRequests: 40 },
  slowCalls: { ...share, slowerThanMs: 100, windowMs: 2000, windowRequests: 0 },
};

describe('SharedBreaker', () => {
  it('answers like one Breaker, whichever thread asks, through trips, probes, verdicts and new settings', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const memory = new SharedArrayBuffer(sharedBreakerBytes);
        const expected: BreakerTransition[] = [];
        const seen: BreakerTransition[] = [];
        const model = new Breaker(someSettings, (transition) => expected.push(transition));
        const shared = Array.from(
          { length: threads },
          (_, i) => new SharedBreaker(someSettings, (transition) => seen.push(transition), memory, i + 1),
        );
        const calls: { probe: boolean; generation: number }[] = [];
        let nowMs = 100_000;
        let generation = 0;
        for (const { kind, thread, pick, outcome, ms, state, latencyMs } of steps) {
          const one = shared[thread]!;
          if (kind === 'acquire') {
            const waitMs = model.tryAcquire(nowMs);
            expect(one.tryAcquire(nowMs)).toBe(waitMs);
            if (waitMs > 0) expect(one.refusalReason).toBe(model.refusalReason);
            else {
              const call = { probe: model.lastAcquireWasProbe, generation: model.generation };
              expect({ probe: one.lastAcquireWasProbe, generation: one.generation }).toEqual(call);
              calls.push(call);
            }
          } else if (kind === 'record' && calls.length > 0) {
            const [call] = calls.splice(pick % calls.length, 1);
            model.record(outcome, latencyMs, call!.probe, call!.generation, nowMs);
            one.record(outcome, latencyMs, call!.probe, call!.generation, nowMs);
          } else if (kind === 'wait') nowMs += ms;
          else if (kind === 'fleet') {
            const verdict = { state, generation: ++generation, epoch: 'a', ttlMs: 1500, allow: 0.4, evidence: '' };
            model.applyFleet(verdict, nowMs);
            // Only the thread with the control link hears verdicts.
            shared[0]!.applyFleet(verdict, nowMs);
          } else if (kind === 'reconfigure') {
            const windows = [
              { windowMs: 0, windowRequests: 40 },
              { windowMs: 1000, windowRequests: 0 },
            ];
            const failureRatio = { ...share, ...windows[pick % 2]! };
            const other = { ...someSettings, failureRatio, probes: 1 + (pick % 4), openForMs: 500 + pick };
            model.reconfigure(other, nowMs);
            for (const each of shared) each.reconfigure(other, nowMs);
          }
          expect(seen).toEqual(expected);
          one.tick(nowMs);
          model.tick(nowMs);
          expect([one.state, one.fleetState, one.probesInFlight]).toEqual([
            model.state,
            model.fleetState,
            model.probesInFlight,
          ]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('opens in all threads by what each finds to be late among its own calls', () => {
    const memory = new SharedArrayBuffer(sharedBreakerBytes);
    const slowCalls = { slowerThanMs: 100, percent: 50, minRequests: 4, windowMs: 2000, windowRequests: 0 };
    const [a, b] = [1, 2].map((owner) => new SharedBreaker({ ...settings, slowCalls }, undefined, memory, owner));
    for (const breaker of [a!, b!, a!, b!]) {
      expect(breaker.tryAcquire(1000)).toBe(0);
      breaker.watch(1000);
    }
    // Two are not enough; with those of the other thread they are.
    expect(a!.tryAcquire(1200)).toBe(0);
    expect([b!.tryAcquire(1200), a!.tryAcquire(1200)]).toEqual([1000, 1000]);
  });

  it('lets N probes out over all threads, and tells of a transition after the lock is free', () => {
    const memory = new SharedArrayBuffer(sharedBreakerBytes);
    const locked: number[] = [];
    const word = new Int32Array(memory);
    const make = (owner: number) =>
      new SharedBreaker(
        { ...settings, consecutiveFailures: 1 },
        () => locked.push(Atomics.load(word, 0)),
        memory,
        owner,
      );
    const [a, b] = [make(1), make(2)];
    a.tryAcquire(0);
    a.record(Outcome.failure, 1, false, a.generation, 0);
    expect(b.tryAcquire(1)).toBe(999);
    expect([a, b, a, b].map((breaker) => breaker.tryAcquire(1000))).toEqual([0, 0, 0, 100]);
    expect(a.state).toBe(BreakerState.halfOpen);
    expect(locked).toEqual([0, 0]);
  });
});
