/** The level at which a service takes requests in: how it falls, how it rises, and in which order requests pass. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { levelCount, priorityOf, Tier } from '../../../proto/tiers.ts';
import { LevelControl, type LevelSettings } from '../../../sidecar/admission/level-control.ts';

const settings: LevelSettings = {
  queueingMaxMs: 20,
  windowMs: 1000,
  windowRequests: 2000,
  decrease: 0.05,
  increase: 0.01,
  nonEssentialTier: Tier.background,
  restoreAfterMs: 5000,
};

/** One request of each priority, in the order that `step` jumps through them: a round is the whole demand. */
function round(control: LevelControl, nowMs: number, waitMs: number): number {
  let passed = 0;
  for (let i = 0; i < levelCount; i++) {
    if (!control.admits((i * 5) % levelCount, 1, nowMs)) continue;
    control.recordQueueing(waitMs);
    passed++;
  }
  return passed;
}

/**
 * A service that takes `capacity` requests in 100 ms and queues 20, under `demand` of random priorities (10 % critical):
 * how many it served in every 100 ms, and how many of the critical ones the level refused.
 */
function serve(control: LevelControl, steps: { demand: number; capacity: number; fromMs: number; times: number }) {
  const random = new XorShift32(11);
  const served: { criticalRefused: number; all: number; reachedQueue: number }[] = [];
  let queued = 0;
  for (let step = 0; step < steps.times; step++) {
    const tally = { criticalRefused: 0, all: 0, reachedQueue: 0 };
    let room = steps.capacity;
    // The queue's requests of the last step go first.
    room -= queued;
    queued = 0;
    for (let n = 0; n < steps.demand; n++) {
      const nowMs = steps.fromMs + 100 * (step + n / steps.demand);
      const tier = random.next() < 0.1 ? Tier.critical : Tier.normal;
      if (!control.admits(priorityOf(tier, Math.floor(random.next() * 128)), 1, nowMs)) {
        if (tier === Tier.critical) tally.criticalRefused++;
        continue;
      }
      tally.reachedQueue++;
      if (room > 0) {
        room--;
        control.recordQueueing(0);
      } else if (queued < 20) {
        queued++;
        control.recordQueueing((100 * queued) / steps.capacity);
      } else {
        control.recordRefusedBehind();
        continue;
      }
      tally.all++;
    }
    served.push(tally);
  }
  return served;
}

const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);

const same = priorityOf(Tier.normal, 64);
/** After a window in which a thousand of one priority waited too long. */
function crowded(): LevelControl {
  const control = new LevelControl({ ...settings, windowRequests: 1000 });
  for (let i = 0; i < 1000; i++) {
    control.admits(same, 1, 0);
    control.recordQueueing(30);
  }
  return control;
}

describe('LevelControl', () => {
  test('lets everybody in while nobody waits', () => {
    const control = new LevelControl(settings);
    for (let second = 0; second < 20; second++) expect(round(control, second * 1000, 0)).toBe(levelCount);
    expect(control.level).toBe(levelCount);
  });

  test('lowers the level after a window of overload so that 5 % fewer pass, the least important ones', () => {
    const control = new LevelControl(settings);
    round(control, 0, 30);
    round(control, 1000, 30);
    expect(control.level).toBe(Math.ceil(levelCount * 0.95));
    expect(control.admits(levelCount - 1, 1, 1001)).toBe(false);
    expect(control.admits(0, 1, 1001)).toBe(true);
  });

  test('takes a mean queueing of exactly its bound for none', () => {
    const control = new LevelControl(settings);
    for (let second = 0; second < 3; second++) round(control, second * 1000, 20);
    expect(control.level).toBe(levelCount);
  });

  test('ends a window at its number of requests', () => {
    const control = new LevelControl({ ...settings, windowRequests: levelCount });
    round(control, 0, 30);
    expect(control.level).toBe(levelCount - 38);
  });

  test('raises the level by 1 % of what passed, and by 2 % next when nobody waits', () => {
    const control = new LevelControl({ ...settings, windowRequests: levelCount });
    for (let i = 0; i < 20; i++) round(control, i, 30);
    const low = control.level;
    round(control, 30, 10);
    const once = control.level;
    expect(once).toBeGreaterThan(low);
    expect(once - low).toBeLessThanOrEqual(Math.ceil(low * 0.01) + 1);
    // At 10 ms some wait, so the step stays; at 0 it doubles.
    round(control, 31, 10);
    expect(control.level - once).toBeLessThanOrEqual(Math.ceil(low * 0.01) + 1);
    round(control, 32, 0);
    const before = control.level;
    round(control, 33, 0);
    expect(control.level - before).toBeGreaterThanOrEqual(Math.floor(before * 0.02) - 1);
  });

  test('counts those that a request stands for as demand', () => {
    const control = new LevelControl({ ...settings, windowRequests: 100 });
    for (let i = 0; i < 50; i++) {
      control.admits(priorityOf(Tier.high, i), 1, 0);
      control.recordQueueing(30);
    }
    for (let i = 0; i < 50; i++) {
      // Each of these stands for a hundred that were kept back.
      control.admits(priorityOf(Tier.batch, i), 100, 0);
      control.recordQueueing(30);
    }
    // 95 of what was let in: all of `high`, and less than a half of one of the others.
    expect(control.level).toBe(priorityOf(Tier.batch, 0) + 1);
  });

  test('passes the share of a priority in which the level lies, when all callers are alike', () => {
    const control = crowded();
    let passed = 0;
    for (let i = 0; i < 900; i++) if (control.admits(same, 1, 1)) passed++;
    // 95 % of them, give or take those that come together.
    expect(Math.abs(passed - 855)).toBeLessThanOrEqual(16);
    expect(control.level).toBe(same + 1);
  });

  test('lets those of the priority in which the level lies that come together pass together', () => {
    const control = crowded();
    let passed = 0;
    for (let request = 1; request <= 200; request++) {
      const parts = [0, 0.1, 0.2, 0.3].map((afterMs) => control.admits(same, 1, request * 3 + afterMs));
      expect(new Set(parts.map(Boolean)).size).toBe(1);
      if (parts[0]) passed++;
    }
    expect(passed).toBeGreaterThanOrEqual(182);
    expect(passed).toBeLessThan(200);
  });

  test('learns at 100 ms what is plain, and takes off at once what the queue refused', () => {
    const control = new LevelControl(settings);
    const served = serve(control, { demand: 800, capacity: 80, fromMs: 0, times: 10 });
    // Ten times too much. In the first 100 ms the queue has to bear it, soon after a third more than it can take.
    expect(served[0]).toMatchObject({ reachedQueue: 800 });
    const late = served.slice(4);
    const inVain = sum(late.map(({ reachedQueue, all }) => reachedQueue - all));
    expect(inVain / (800 * late.length)).toBeLessThan(0.06);
    expect(sum(late.map(({ all }) => all)) / (80 * late.length)).toBeGreaterThan(0.9);
  });

  test('keeps the important ones whole at five times the capacity', () => {
    const control = new LevelControl(settings);
    serve(control, { demand: 400, capacity: 80, fromMs: 0, times: 10 });
    const served = serve(control, { demand: 400, capacity: 80, fromMs: 1000, times: 100 });
    expect(sum(served.map(({ criticalRefused }) => criticalRefused))).toBe(0);
    expect(sum(served.map(({ all }) => all)) / (80 * 100)).toBeGreaterThan(0.93);
  });

  test('lets everybody in within 4 s after ten times the capacity is over', () => {
    const control = new LevelControl(settings);
    serve(control, { demand: 800, capacity: 80, fromMs: 0, times: 50 });
    serve(control, { demand: 60, capacity: 80, fromMs: 5000, times: 40 });
    expect(control.level).toBe(levelCount);
  });

  test('forgets after ten windows without anybody', () => {
    const control = new LevelControl(settings);
    serve(control, { demand: 800, capacity: 80, fromMs: 0, times: 5 });
    expect(control.admits(levelCount - 1, 1, 1_000)).toBe(false);
    expect(control.admits(levelCount - 1, 1, 30_000)).toBe(true);
  });

  test('switches what is not essential off with the level, and on again 5 s after', () => {
    const control = new LevelControl({ ...settings, windowRequests: levelCount });
    expect(control.isNonEssentialOff(0)).toBe(false);
    round(control, 0, 30);
    expect(control.isNonEssentialOff(4999)).toBe(true);
    expect(control.isNonEssentialOff(5000)).toBe(false);
    const tolerant = new LevelControl({ ...settings, windowRequests: levelCount, nonEssentialTier: Tier.low });
    round(tolerant, 0, 30);
    expect(tolerant.isNonEssentialOff(1)).toBe(false);
  });

  test('takes nobody in before a more important one, whatever came before', () => {
    const priority = fc.integer({ min: 0, max: levelCount - 1 });
    const arrivals = fc.array(
      fc.record({
        priority,
        rival: priority,
        afterMs: fc.integer({ min: 0, max: 200 }),
        waitMs: fc.integer({ min: -1, max: 60 }),
        standsFor: fc.integer({ min: 1, max: 50 }),
      }),
      { minLength: 50, maxLength: 300 },
    );
    fc.assert(
      fc.property(arrivals, (all) => {
        const control = new LevelControl({ ...settings, windowRequests: 100_000 });
        let nowMs = 0;
        for (const { priority, rival, afterMs, waitMs, standsFor } of all) {
          nowMs += afterMs;
          const passed = control.admits(priority, standsFor, nowMs);
          const rivalPassed = control.admits(rival, 1, nowMs);
          if (priority < rival && rivalPassed) expect(passed).toBe(true);
          if (rival < priority && passed) expect(rivalPassed).toBe(true);
          expect(control.level).toBeGreaterThanOrEqual(1);
          expect(control.level).toBeLessThanOrEqual(levelCount);
          for (const went of [passed, rivalPassed]) {
            if (went && waitMs < 0) control.recordRefusedBehind();
            else if (went) control.recordQueueing(waitMs);
          }
        }
      }),
    );
  });
});
