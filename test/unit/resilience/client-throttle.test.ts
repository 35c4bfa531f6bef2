/** When a caller refuses for a target that sheds, and when it does not. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { Tier } from '../../../proto/tiers.ts';
import { ClientThrottle, type ThrottleSettings } from '../../../sidecar/resilience/client-throttle.ts';

const { normal } = Tier;

const settings: ThrottleSettings = {
  acceptsMultiplier: 2,
  windowMs: 10_000,
  requestsPerSecondMin: 5,
  refusedShareMax: 0.9,
};

/** `rps` requests a second against a target that accepts `capacity` a second: those that went, by second. */
function drive(throttle: ClientThrottle, load: { rps: number; capacity: number; fromS: number; seconds: number }) {
  const random = new XorShift32(3);
  const went: number[] = [];
  for (let second = load.fromS; second < load.fromS + load.seconds; second++) {
    let sent = 0;
    for (let n = 0; n < load.rps; n++) {
      const nowMs = 1000 * (second + n / load.rps);
      if (!throttle.tryPass(normal, random, nowMs)) continue;
      sent++;
      throttle.record(normal, sent > load.capacity, nowMs);
    }
    went.push(sent);
  }
  return went;
}

describe('ClientThrottle', () => {
  test('lets everything through while nothing is shed', () => {
    const throttle = new ClientThrottle(settings);
    expect(drive(throttle, { rps: 200, capacity: 200, fromS: 0, seconds: 20 })).toEqual(new Array(20).fill(200));
  });

  test('lets everything through while half or less is shed: that is what K = 2 allows', () => {
    const throttle = new ClientThrottle(settings);
    const went = drive(throttle, { rps: 190, capacity: 100, fromS: 0, seconds: 20 });
    expect(went.every((sent) => sent === 190)).toBe(true);
  });

  test('sends about twice what is accepted at eight times too much', () => {
    const throttle = new ClientThrottle(settings);
    const went = drive(throttle, { rps: 800, capacity: 100, fromS: 0, seconds: 30 }).slice(10);
    const mean = went.reduce((a, b) => a + b, 0) / went.length;
    expect(mean).toBeGreaterThan(190);
    expect(mean).toBeLessThan(240);
  });

  test('refuses 90 % and no more of a target that sheds everything', () => {
    const throttle = new ClientThrottle(settings);
    const went = drive(throttle, { rps: 1000, capacity: 0, fromS: 0, seconds: 20 }).slice(10);
    expect(throttle.refusedShare(normal)).toBe(0.9);
    const mean = went.reduce((a, b) => a + b, 0) / went.length;
    expect(Math.abs(mean - 100)).toBeLessThan(10);
  });

  test('refuses nothing below 5 requests a second', () => {
    const throttle = new ClientThrottle(settings);
    expect(drive(throttle, { rps: 4, capacity: 0, fromS: 0, seconds: 30 })).toEqual(new Array(30).fill(4));
  });

  test('lets everything through again within its window once nothing is shed', () => {
    const throttle = new ClientThrottle(settings);
    drive(throttle, { rps: 400, capacity: 50, fromS: 0, seconds: 20 });
    drive(throttle, { rps: 400, capacity: 1e9, fromS: 20, seconds: 12 });
    expect(throttle.refusedShare(normal)).toBe(0);
  });

  test('does not take a slow target for a shedding one', () => {
    const throttle = new ClientThrottle(settings);
    const random = new XorShift32(3);
    // 8 s until an answer: 600 under way, and a single one shed.
    for (let i = 0; i < 600; i++) expect(throttle.tryPass(normal, random, i * 10)).toBe(true);
    throttle.record(normal, true, 6000);
    throttle.record(normal, false, 6001);
    throttle.record(normal, false, 6002);
    expect(throttle.refusedShare(normal)).toBe(0);
  });

  test('meets a burst before all its answers are in', () => {
    const throttle = new ClientThrottle(settings);
    const random = new XorShift32(3);
    for (let i = 0; i < 500; i++) throttle.tryPass(normal, random, 0);
    for (let i = 0; i < 3; i++) throttle.record(normal, true, 1);
    expect(throttle.refusedShare(normal)).toBe(0.9);
  });

  test('does not refuse one tier for what is shed of another', () => {
    const throttle = new ClientThrottle(settings);
    drive(throttle, { rps: 400, capacity: 0, fromS: 0, seconds: 10 });
    expect(throttle.refusedShare(normal)).toBe(0.9);
    const random = new XorShift32(3);
    for (let i = 0; i < 200; i++) expect(throttle.tryPass(Tier.high, random, 10_000)).toBe(true);
  });

  test('counts nothing twice and forgets everything after its window, whatever happened', () => {
    const steps = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 3000 }), shed: fc.boolean() }), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(steps, (all) => {
        const throttle = new ClientThrottle(settings);
        const random = new XorShift32(9);
        let nowMs = 0;
        for (const { afterMs, shed } of all) {
          nowMs += afterMs;
          if (throttle.tryPass(normal, random, nowMs)) throttle.record(normal, shed, nowMs);
          const share = throttle.refusedShare(normal);
          expect(share).toBeGreaterThanOrEqual(0);
          expect(share).toBeLessThanOrEqual(0.9);
        }
        nowMs += 10_500;
        for (let i = 0; i < 60; i++) expect(throttle.tryPass(normal, random, nowMs)).toBe(true);
      }),
    );
  });
});
