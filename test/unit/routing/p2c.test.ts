/** The power of two choices, and the backoff of endpoints that cannot be connected to. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Random, XorShift32 } from '../../../proto/kernel/random.ts';
import { Endpoint } from '../../../sidecar/routing/endpoint.ts';
import { pickOfTwo, requestsInFlight } from '../../../sidecar/routing/p2c.ts';

/** No jitter. */
const middling = { next: () => 0.5 };

function endpoints(count: number): Endpoint[] {
  return Array.from({ length: count }, (_, i) => {
    const at = { host: '10.0.0.1', port: i + 1, path: '' };
    const address = `10.0.0.1:${i + 1}`;
    return new Endpoint({ address, at, instance: `i-${i}`, zone: '', draining: false, random: middling });
  });
}

const pick = (all: readonly Endpoint[], random: Random, nowMs: number) =>
  pickOfTwo(all, random, nowMs, requestsInFlight);

describe('pickOfTwo', () => {
  const random = new XorShift32(42);

  it('has nothing to pick from an empty list and no choice with one', () => {
    const [only] = endpoints(1);
    expect(pick([], random, 0)).toBeUndefined();
    expect(pick([only!], random, 0)).toBe(only);
  });

  it('takes the less busy of two, always', () => {
    const [a, b] = endpoints(2);
    a!.inFlight = 3;
    b!.inFlight = 2;
    for (let i = 0; i < 100; i++) expect(pick([a!, b!], random, 0)).toBe(b);
  });

  it('spreads requests evenly over equals', () => {
    const all = endpoints(5);
    for (let i = 0; i < 10_000; i++) pick(all, random, 0)!.requests++;
    for (const endpoint of all) expect(Math.abs(endpoint.requests - 2000)).toBeLessThan(200);
  });

  it('keeps the load of long requests within a few of each other, where chance alone would not', () => {
    const all = endpoints(10);
    for (let i = 0; i < 10_000; i++) pick(all, random, 0)!.inFlight++;
    const loads = all.map((endpoint) => endpoint.inFlight);
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(10);
  });

  it('avoids endpoints that cannot be reached while there are others, and uses them when there are none', () => {
    const outs = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(outs, fc.integer(), (out, seed) => {
        const all = endpoints(out.length);
        for (const [i, endpoint] of all.entries()) if (out[i]) endpoint.recordUnreachable(0);
        const picked = pick(all, new XorShift32(seed), 50)!;
        expect(picked.isOut(50)).toBe(out.every(Boolean));
      }),
    );
  });
});

describe('Endpoint', () => {
  it('is left alone twice as long after each failed attempt, up to ten seconds, and not after it was reached', () => {
    const [endpoint] = endpoints(1);
    let nowMs = 0;
    const waits = Array.from({ length: 9 }, () => {
      endpoint!.recordUnreachable(nowMs);
      const waitMs = outUntilMs(endpoint!, nowMs) - nowMs;
      nowMs += waitMs;
      return waitMs;
    });
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    endpoint!.recordReached();
    expect(endpoint!.isOut(nowMs)).toBe(false);
    endpoint!.recordUnreachable(nowMs);
    expect(outUntilMs(endpoint!, nowMs) - nowMs).toBe(100);
  });

  it('takes the many requests that fail with one connection for one failure', () => {
    const [endpoint] = endpoints(1);
    for (let i = 0; i < 100; i++) endpoint!.recordUnreachable(0);
    expect([endpoint!.isOut(99), endpoint!.isOut(100)]).toEqual([true, false]);
  });

  it('is tried by one request at a time once the pause is over, and comes back with its answer', () => {
    const [endpoint] = endpoints(1);
    endpoint!.recordUnreachable(0);
    expect(endpoint!.isOut(100)).toBe(false);
    endpoint!.begin(100);
    expect(endpoint!.isOut(101)).toBe(true);
    // The one that tried was cancelled: another may try.
    endpoint!.recordNothing();
    expect(endpoint!.isOut(102)).toBe(false);
    endpoint!.begin(102);
    expect(endpoint!.isOut(103)).toBe(true);
    endpoint!.recordReached();
    expect(endpoint!.isOut(103)).toBe(false);
    for (let i = 0; i < 10; i++) endpoint!.begin(104);
    expect(endpoint!.isOut(105)).toBe(false);
  });

  it('is tried again by another when nothing is heard of the one that tried', () => {
    const [endpoint] = endpoints(1);
    endpoint!.recordUnreachable(0);
    endpoint!.begin(100);
    expect([endpoint!.isOut(10_099), endpoint!.isOut(10_100)]).toEqual([true, false]);
  });
});

function outUntilMs(endpoint: Endpoint, fromMs: number): number {
  let nowMs = fromMs;
  while (endpoint.isOut(nowMs)) nowMs += 100;
  return nowMs;
}

describe('P2cPeakEwma', () => {
  it('avoids an endpoint that has no room, the more the more often it says so, up to a second', () => {
    const [full] = endpoints(1);
    const { latency } = full!;
    latency.recordSuccess(40, 0);
    const thought = Array.from({ length: 8 }, () => {
      latency.recordNoRoom(5, 0);
      return latency.read(0);
    });
    expect(thought).toEqual([80, 160, 320, 640, 1000, 1000, 1000, 1000]);
    latency.recordNoRoom(2500, 0);
    expect(latency.read(0)).toBe(2500);
    latency.recordNoRoom(5, 0);
    expect(latency.read(0)).toBe(2500);
  });
});
