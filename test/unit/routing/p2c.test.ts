/** The power of two choices, and the backoff of endpoints that cannot be connected to. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { Endpoint } from '../../../sidecar/routing/endpoint.ts';
import { pick } from '../../../sidecar/routing/p2c.ts';

function endpoints(count: number): Endpoint[] {
  return Array.from({ length: count }, (_, i) => {
    const at = { host: '10.0.0.1', port: i + 1, path: '' };
    return new Endpoint({ address: `10.0.0.1:${i + 1}`, at, instance: `i-${i}`, zone: '', draining: false });
  });
}

describe('pick', () => {
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

  it('avoids endpoints that cannot be connected to while there are others, and uses them when there are none', () => {
    const backedOff = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(backedOff, fc.integer(), (out, seed) => {
        const all = endpoints(out.length);
        for (const [i, endpoint] of all.entries()) if (out[i]) endpoint.recordConnectFailure(0);
        const picked = pick(all, new XorShift32(seed), 50)!;
        expect(picked.isBackingOff(50)).toBe(out.every(Boolean));
      }),
    );
  });
});

describe('Endpoint', () => {
  it('is left alone twice as long after each failed attempt, up to ten seconds, and not after a success', () => {
    const [endpoint] = endpoints(1);
    const waits = Array.from({ length: 9 }, () => {
      endpoint!.recordConnectFailure(1000);
      return endpoint!.connectFailedUntilMs - 1000;
    });
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    expect([endpoint!.isBackingOff(10_999), endpoint!.isBackingOff(11_000)]).toEqual([true, false]);
    endpoint!.recordConnected();
    expect(endpoint!.isBackingOff(1000)).toBe(false);
    endpoint!.recordConnectFailure(0);
    expect(endpoint!.connectFailedUntilMs).toBe(100);
  });
});
