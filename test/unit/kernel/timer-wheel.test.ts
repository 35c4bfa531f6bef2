/** The timer wheel: its promises one by one, then against a sorted list over all levels. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallbackTimer, TimerWheel } from '../../../proto/kernel/timer-wheel.ts';

const tickMs = 4;

describe('TimerWheel', () => {
  it('fires at the first tick at or after the time, never before', () => {
    const wheel = new TimerWheel(tickMs, 0);
    const fired: number[] = [];
    const timer = new CallbackTimer((nowMs) => fired.push(nowMs));
    wheel.schedule(timer, 9);
    wheel.advance(8);
    wheel.advance(11.9);
    expect(fired).toEqual([]);
    wheel.advance(12);
    wheel.advance(16);
    expect(fired).toEqual([12]);
    expect(timer.isScheduled()).toBe(false);
    expect(wheel.size).toBe(0);
  });

  it('moves a timer that is scheduled again and forgets one that is cancelled', () => {
    const wheel = new TimerWheel(tickMs, 0);
    const fired: string[] = [];
    const moved = new CallbackTimer((nowMs) => fired.push(`moved ${nowMs}`));
    const cancelled = new CallbackTimer(() => fired.push('cancelled'));
    wheel.schedule(moved, 8);
    wheel.schedule(moved, 5000);
    wheel.schedule(cancelled, 8);
    wheel.cancel(cancelled);
    wheel.cancel(cancelled);
    expect(wheel.size).toBe(1);
    wheel.advance(4999);
    expect(fired).toEqual([]);
    wheel.advance(5000);
    expect(fired).toEqual(['moved 5000']);
  });

  it('fires what is already due in the next advance, even when time stands still', () => {
    const wheel = new TimerWheel(tickMs, 1000);
    let fired = 0;
    wheel.schedule(new CallbackTimer(() => fired++), 10);
    expect(fired).toBe(0);
    expect(wheel.nextAtMs()).toBe(1000);
    wheel.advance(1000);
    expect(fired).toBe(1);
  });

  it('does not fire twice in one advance a timer that schedules itself in the past', () => {
    const wheel = new TimerWheel(tickMs, 0);
    let fired = 0;
    const timer: CallbackTimer = new CallbackTimer(() => {
      fired++;
      wheel.schedule(timer, 0);
    });
    wheel.schedule(timer, 4);
    wheel.advance(1_000_000);
    expect(fired).toBe(1);
    wheel.advance(1_000_000);
    expect(fired).toBe(2);
  });

  it('lets a timer cancel another that is due at the same moment', () => {
    const wheel = new TimerWheel(tickMs, 0);
    const fired: string[] = [];
    const second = new CallbackTimer(() => fired.push('second'));
    const first = new CallbackTimer(() => {
      fired.push('first');
      wheel.cancel(second);
    });
    wheel.schedule(first, 100);
    wheel.schedule(second, 200);
    wheel.advance(300);
    expect(fired).toEqual(['first']);
    expect(wheel.size).toBe(0);
  });

  it('fires in the order of ticks after a jump over every wheel', () => {
    const wheel = new TimerWheel(tickMs, 0);
    const fired: number[] = [];
    const times = [200_000_000, 40, 4000, 131_072, 130_000, 9_000_000, 128, 4096, 600_000_000, 4];
    for (const atMs of times) wheel.schedule(new CallbackTimer(() => fired.push(atMs)), atMs);
    wheel.advance(1_000_000_000);
    expect(fired).toEqual(times.toSorted((a, b) => a - b));
  });

  it('survives a timer that throws: the others fire in the next advance', () => {
    const wheel = new TimerWheel(tickMs, 0);
    let fired = 0;
    wheel.schedule(
      new CallbackTimer(() => {
        throw new Error('boom');
      }),
      4,
    );
    wheel.schedule(new CallbackTimer(() => fired++), 8);
    expect(() => wheel.advance(8)).toThrow('boom');
    wheel.advance(8);
    expect(fired).toBe(1);
    expect(wheel.size).toBe(0);
  });

  it('has nothing to do when nothing is scheduled', () => {
    expect(new TimerWheel().nextAtMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('refuses a time that is none', () => {
    const wheel = new TimerWheel();
    expect(() => wheel.schedule(new CallbackTimer(() => {}), Number.NaN)).toThrow(/needs a time/);
  });
});

/** Delays of every magnitude, so that all levels and their edges are met. */
const delay = fc.oneof(
  fc.double({ min: -20, max: 140, noNaN: true }),
  fc
    .integer({ min: 0, max: 6 })
    .chain((power) => fc.integer({ min: -2, max: 2 }).map((d) => tickMs * (32 ** power + d))),
  fc.double({ min: 0, max: 3e8, noNaN: true }),
);
const step = fc.oneof(
  fc.record({ kind: fc.constant('schedule' as const), timer: fc.nat(7), delay }),
  fc.record({ kind: fc.constant('cancel' as const), timer: fc.nat(7) }),
  fc.record({ kind: fc.constant('advance' as const), delay }),
  // Jump exactly to where the wheel itself says that something happens.
  fc.record({ kind: fc.constant('next' as const) }),
);

describe('TimerWheel against a list', () => {
  it('fires the same timers, in the same order of ticks, as a sorted list', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.array(step, { maxLength: 80 }), (startMs, steps) => {
        let nowMs = startMs;
        const wheel = new TimerWheel(tickMs, startMs);
        const waiting = new Map<number, number>();
        let fired: number[] = [];
        const timers = Array.from({ length: 8 }, (_, id) => new CallbackTimer(() => fired.push(id)));

        const advance = (): void => {
          fired = [];
          wheel.advance(nowMs);
          const tick = Math.floor(nowMs / tickMs);
          const due = [...waiting].filter(([, at]) => Math.ceil(at / tickMs) <= tick).map(([id]) => id);
          expect(fired.toSorted()).toEqual(due.toSorted());
          const late = fired.map((id) => Math.ceil(waiting.get(id)! / tickMs));
          // Those due when they were scheduled come first, whenever that was.
          const onWheel = late.filter((at) => at > Math.floor(beforeMs / tickMs));
          expect(onWheel).toEqual(onWheel.toSorted((a, b) => a - b));
          for (const id of due) waiting.delete(id);
        };

        let beforeMs = nowMs;
        for (const action of steps) {
          beforeMs = nowMs;
          switch (action.kind) {
            case 'schedule':
              wheel.schedule(timers[action.timer]!, nowMs + action.delay);
              waiting.set(action.timer, nowMs + action.delay);
              break;
            case 'cancel':
              wheel.cancel(timers[action.timer]!);
              waiting.delete(action.timer);
              break;
            case 'advance':
              nowMs += Math.max(0, action.delay);
              advance();
              break;
            case 'next': {
              const next = wheel.nextAtMs();
              const first = Math.min(...[...waiting.values()].map((at) => Math.ceil(at / tickMs) * tickMs));
              expect(next).toBeLessThanOrEqual(Math.max(first, nowMs));
              if (next === Number.POSITIVE_INFINITY) break;
              nowMs = Math.max(nowMs, next);
              advance();
              break;
            }
          }
          expect(wheel.size).toBe(waiting.size);
          for (const [id, timer] of timers.entries()) expect(timer.isScheduled()).toBe(waiting.has(id));
        }
      }),
      { numRuns: 500 },
    );
  });
});
