/** The local breaker: conditions, cool-down, probes. What the fleet adds is in breaker-fleet.test.ts. */
import { describe, expect, it } from 'vitest';
import { Reason } from '../../../proto/reasons.ts';
import { BreakerState } from '../../../sidecar/resilience/breaker.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { BreakerRig, settings } from './breaker-rig.ts';

describe('Breaker, closed', () => {
  it('opens on failures in a row, and not before', () => {
    const rig = new BreakerRig();
    rig.fail(4);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    rig.fail();
    expect(rig.breaker.state).toBe(BreakerState.open);
    expect(rig.breaker.cause).toBe('5 consecutive failures');
    expect(rig.breaker.sinceMs).toBe(rig.nowMs);
  });

  it('counts anew after a success, but not after an outcome that says nothing', () => {
    const rig = new BreakerRig({ failureRatio: null });
    rig.fail(4);
    rig.succeed();
    rig.fail(4);
    rig.end(rig.begin(), Outcome.ignored);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    rig.fail();
    expect(rig.breaker.state).toBe(BreakerState.open);
  });

  it('opens on the share of failures once there are enough requests, and says what it saw', () => {
    const rig = new BreakerRig({ consecutiveFailures: 0 });
    rig.fail(10);
    rig.succeed(9);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    rig.succeed();
    expect(rig.diary).toEqual(['closed → open: 10 of 20 failed in 2s']);
  });

  it('stays closed below the share', () => {
    const rig = new BreakerRig({ consecutiveFailures: 0 });
    for (let i = 0; i < 200; i++) {
      rig.succeed();
      rig.succeed();
      rig.fail();
      rig.wait(7);
    }
    expect(rig.diary).toEqual([]);
  });

  it('forgets what lies before the window', () => {
    const rig = new BreakerRig({ consecutiveFailures: 0 });
    rig.fail(19);
    rig.wait(2000);
    rig.fail();
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });

  it('never opens when no condition is named', () => {
    const rig = new BreakerRig({ consecutiveFailures: 0, failureRatio: null });
    rig.fail(1000);
    expect(rig.diary).toEqual([]);
  });
});

describe('Breaker, open', () => {
  it('refuses until the cool-down is over and says how long that is', () => {
    const rig = new BreakerRig();
    rig.fail(5);
    rig.wait(0.5);
    expect(rig.acquire()).toBe(1000);
    expect(rig.breaker.refusalReason).toBe(Reason.breakerOpen);
    rig.wait(999.4);
    expect(rig.acquire()).toBe(1);
    rig.wait(0.1);
    expect(rig.begin().probe).toBe(true);
    expect(rig.breaker.state).toBe(BreakerState.halfOpen);
  });
});

describe('Breaker, half-open', () => {
  function halfOpen(overrides = {}): BreakerRig {
    const rig = new BreakerRig(overrides);
    rig.fail(5);
    rig.wait(1000);
    return rig;
  }

  it('lets exactly N probes out and closes when all have succeeded', () => {
    const rig = halfOpen();
    const probes = [rig.begin(), rig.begin(), rig.begin()];
    expect(rig.acquire()).toBe(100);
    rig.end(probes[1]!, Outcome.success);
    rig.end(probes[0]!, Outcome.success);
    expect(typeof rig.acquire()).toBe('number');
    rig.end(probes[2]!, Outcome.success);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    expect(rig.begin().probe).toBe(false);
    expect(rig.diary).toEqual([
      'closed → open: 5 consecutive failures',
      'open → half_open: 1s of cool-down are over',
      'half_open → closed: 3 probes succeeded',
    ]);
  });

  it('opens again on one failure, for twice as long each round, up to the maximum', () => {
    const rig = halfOpen();
    for (const coolMs of [2000, 4000, 4000, 4000]) {
      rig.fail();
      expect(rig.breaker.state).toBe(BreakerState.open);
      rig.wait(coolMs - 1);
      expect(rig.acquire()).toBe(1);
      rig.wait(1);
    }
  });

  it('begins with the short cool-down again after it stayed closed for as long as it was open', () => {
    const rig = halfOpen();
    rig.fail();
    rig.wait(2000);
    rig.succeed(3);
    rig.wait(1999);
    rig.fail(5);
    expect(rig.acquire()).toBe(2000);
    rig.wait(2000);
    rig.succeed(3);
    rig.wait(2000);
    rig.fail(5);
    expect(rig.acquire()).toBe(1000);
  });

  it('sends another probe in place of one that said nothing', () => {
    const rig = halfOpen({ probes: 1 });
    rig.end(rig.begin(), Outcome.ignored);
    expect(rig.breaker.state).toBe(BreakerState.halfOpen);
    rig.succeed();
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });

  it('fails the round of a probe that is never answered, as of its deadline, and does not hear its late answer', () => {
    const rig = halfOpen({ probes: 1 });
    const lost = rig.begin();
    rig.wait(9999);
    expect(typeof rig.acquire()).toBe('number');
    rig.wait(1);
    expect(rig.acquire()).toBe(2000);
    expect(rig.diary.at(-1)).toBe('half_open → open: a probe was not answered in time');
    rig.wait(2000);
    const second = rig.begin();
    rig.end(lost, Outcome.success);
    expect([rig.breaker.state, rig.breaker.probesInFlight]).toEqual([BreakerState.halfOpen, 1]);
    rig.end(second, Outcome.success);
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });

  it('has waited out the cool-down of a lost probe already when nobody called since', () => {
    const rig = halfOpen({ probes: 1 });
    rig.begin();
    rig.wait(10_000 + 2000);
    rig.succeed();
    expect(rig.diary.slice(-3)).toEqual([
      'half_open → open: a probe was not answered in time',
      'open → half_open: 2s of cool-down are over',
      'half_open → closed: 1 probes succeeded',
    ]);
  });

  it('does not listen to calls that began before it opened', () => {
    const rig = new BreakerRig();
    const old = Array.from({ length: 20 }, () => rig.begin());
    rig.fail(5);
    rig.wait(1000);
    const probe = rig.begin();
    for (const call of old.slice(0, 10)) rig.end(call, Outcome.success);
    expect(rig.breaker.state).toBe(BreakerState.halfOpen);
    rig.end(probe, Outcome.success);
    rig.succeed(2);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    for (const call of old.slice(10)) rig.end(call, Outcome.failure);
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });

  it('counts the probes of a failed round as out, but not their answers', () => {
    const rig = halfOpen();
    const [a, b, c] = [rig.begin(), rig.begin(), rig.begin()];
    rig.end(a, Outcome.failure);
    rig.wait(2000);
    const next = rig.begin();
    // b and c are still with the server.
    expect(typeof rig.acquire()).toBe('number');
    rig.end(b, Outcome.failure);
    expect(rig.breaker.state).toBe(BreakerState.halfOpen);
    rig.end(c, Outcome.success);
    rig.end(next, Outcome.success);
    rig.succeed();
    expect(rig.breaker.state).toBe(BreakerState.halfOpen);
    rig.succeed();
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });
});

describe('Breaker.reconfigure', () => {
  it('keeps the state', () => {
    const rig = new BreakerRig();
    rig.fail(5);
    rig.breaker.reconfigure({ ...settings, consecutiveFailures: 100 }, rig.nowMs);
    expect(rig.acquire()).toBe(1000);
  });

  it('keeps counting where the window is the same, and begins anew where it is not', () => {
    const rig = new BreakerRig({ consecutiveFailures: 0 });
    rig.fail(19);
    rig.breaker.reconfigure({ ...settings, openForMs: 500 }, rig.nowMs);
    rig.succeed();
    expect(rig.breaker.state).toBe(BreakerState.open);

    const other = new BreakerRig({ consecutiveFailures: 0 });
    other.fail(19);
    const ratio = { percent: 50, minRequests: 20, windowMs: 4000, windowRequests: 0 };
    other.breaker.reconfigure({ ...settings, consecutiveFailures: 0, failureRatio: ratio }, other.nowMs);
    other.fail(19);
    expect(other.breaker.state).toBe(BreakerState.closed);
    other.fail();
    expect(other.breaker.state).toBe(BreakerState.open);
  });

  it('does not get stuck half-open when fewer probes are asked for than have succeeded', () => {
    const rig = new BreakerRig();
    rig.fail(5);
    rig.wait(1000);
    rig.succeed(2);
    rig.breaker.reconfigure({ ...settings, probes: 1 }, rig.nowMs);
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });
});

describe('Breaker with slow calls', () => {
  const slowCalls = { slowerThanMs: 100, percent: 50, minRequests: 10, windowMs: 2000, windowRequests: 0 };

  it('opens on the share of slow calls, though all of them succeed', () => {
    const rig = new BreakerRig({ slowCalls });
    rig.succeed(5, 99.9);
    rig.succeed(4, 100);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    rig.succeed(1, 500);
    expect(rig.diary).toEqual(['closed → open: 5 of 10 took 100ms or longer in 2s']);
  });

  it('takes a slow probe for a failed one', () => {
    const rig = new BreakerRig({ slowCalls });
    rig.succeed(10, 100);
    rig.wait(1000);
    rig.succeed(1, 100);
    expect(rig.diary.at(-1)).toBe('half_open → open: a probe was slow');
    rig.wait(2000);
    rig.succeed(3, 20);
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });

  it('does not count a call that says nothing, however slow', () => {
    const rig = new BreakerRig({ slowCalls });
    for (let i = 0; i < 50; i++) rig.end(rig.begin(), Outcome.ignored, 5000);
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });

  it('opens on calls that are under way for so long, without waiting for their answers', () => {
    const rig = new BreakerRig({ slowCalls });
    rig.succeed(5, 20);
    const calls = Array.from({ length: 5 }, () => rig.begin());
    rig.wait(99);
    expect(rig.breaker.tryAcquire(rig.nowMs)).toBe(0);
    rig.wait(25);
    expect(rig.breaker.tryAcquire(rig.nowMs)).toBe(1000);
    expect(rig.diary).toEqual(['closed → open: 5 of 10 took 100ms or longer in 2s']);
    for (const call of calls) rig.end(call, Outcome.success, 125);
    expect(rig.breaker.state).toBe(BreakerState.open);
  });

  it('counts a call once, whether it is slow while it is under way, when it ends or both', () => {
    const rig = new BreakerRig({ slowCalls: { ...slowCalls, minRequests: 8, percent: 60 } });
    rig.succeed(4, 20);
    const calls = Array.from({ length: 4 }, () => rig.begin());
    rig.wait(200);
    rig.succeed(1, 20);
    for (const call of calls) rig.end(call, Outcome.success, 200);
    // 4 of 9; counted twice, 8 of 13 would have opened it.
    expect(rig.diary).toEqual([]);
    rig.succeed(4, 100);
    expect(rig.diary).toEqual(['closed → open: 8 of 13 took 100ms or longer in 2s']);
  });

  it('does not take an answer that has begun for a slow one, however long it goes on', () => {
    const rig = new BreakerRig({ slowCalls });
    const calls = Array.from({ length: 20 }, () => rig.begin());
    rig.wait(50);
    const begun = calls.map((call) => ({
      ...call,
      watched: rig.breaker.conditions.answerBegins(call.watched, call.generation),
    }));
    rig.wait(60_000);
    rig.succeed(1);
    for (const call of begun) rig.end(call, Outcome.success, 50);
    expect(rig.breaker.state).toBe(BreakerState.closed);
  });

  it('counts a call whose caller gave up after it was slow', () => {
    const rig = new BreakerRig({ slowCalls });
    for (let i = 0; i < 10; i++) {
      const call = rig.begin();
      rig.wait(150);
      rig.end(call, Outcome.ignored, 150);
    }
    expect(rig.diary).toEqual([]);
    const calls = Array.from({ length: 10 }, () => rig.begin());
    rig.wait(150);
    expect(rig.breaker.tryAcquire(rig.nowMs)).toBe(1000);
    for (const call of calls) rig.end(call, Outcome.ignored, 150);
    expect(rig.breaker.state).toBe(BreakerState.open);
  });

  it('begins to count anew when slow means something else', () => {
    const rig = new BreakerRig({ slowCalls });
    rig.succeed(9, 150);
    rig.breaker.reconfigure({ ...settings, slowCalls: { ...slowCalls, slowerThanMs: 140 } }, rig.nowMs);
    rig.succeed(9, 150);
    expect(rig.breaker.state).toBe(BreakerState.closed);
    rig.succeed(1, 150);
    expect(rig.breaker.state).toBe(BreakerState.open);
  });
});

describe('Breaker over the last calls', () => {
  const failureRatio = { percent: 70, minRequests: 20, windowMs: 0, windowRequests: 10 };

  it('opens on 7 of the last 10, however long they took to come', () => {
    const rig = new BreakerRig({ consecutiveFailures: 0, failureRatio });
    for (let i = 0; i < 9; i++) {
      if (i % 3 === 0) rig.succeed();
      else rig.fail();
      rig.wait(60_000);
    }
    expect(rig.breaker.state).toBe(BreakerState.closed);
    rig.fail();
    expect(rig.diary).toEqual(['closed → open: 7 of 10 failed']);
  });
});
