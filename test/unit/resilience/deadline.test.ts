/** grpc-timeout, read and written, and the bounds that policy sets. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedTimeoutMs, formatGrpcTimeout, parseGrpcTimeoutMs } from '../../../sidecar/resilience/deadline.ts';

describe('parseGrpcTimeoutMs', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['10S', 10_000],
    ['250m', 250],
    ['1500u', 1.5],
    ['99999999n', 99.999999],
    ['0m', 0],
    ['00000001S', 1000],
  ])('reads %s', (text, ms) => {
    expect(parseGrpcTimeoutMs(text)).toBeCloseTo(ms, 9);
  });

  it.each(['', 'S', '1', '123456789S', '-1S', '1.5S', '1 S', 'S1', '1s', '+1S', '１S'])('refuses %j', (text) => {
    expect(parseGrpcTimeoutMs(text)).toBeUndefined();
  });
});

describe('formatGrpcTimeout', () => {
  it.each([
    [250, '250000u'],
    [0.0015, '1u'],
    [99_999.999, '99999999u'],
    [100_000, '100000m'],
    [99_999_999, '99999999m'],
    [100_000_000, '100000S'],
    [1e15, '99999999S'],
    [0, '1n'],
    [-5, '1n'],
    [0.0001, '1n'],
    [Number.NaN, '1n'],
  ])('writes %d ms', (ms, text) => {
    expect(formatGrpcTimeout(ms)).toBe(text);
  });

  it('never gives the next hop more time than there is, and takes away less than a thousandth and a microsecond', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e9, noNaN: true }), (ms) => {
        const read = parseGrpcTimeoutMs(formatGrpcTimeout(ms))!;
        expect(read).toBeLessThanOrEqual(ms * (1 + 1e-12));
        expect(read).toBeGreaterThanOrEqual(ms * 0.999 - 0.001);
      }),
    );
  });
});

describe('boundedTimeoutMs', () => {
  it.each([
    [undefined, 0, 0, 0],
    [undefined, 500, 0, 500],
    [undefined, 500, 200, 200],
    [undefined, 0, 200, 200],
    [100, 500, 200, 100],
    [900, 500, 200, 200],
    [900, 500, 0, 900],
    // No time left is a deadline, and not the lack of one.
    [0, 500, 200, 1e-6],
    [0, 0, 0, 1e-6],
  ])('asked %s, default %d, max %d', (requestedMs, defaultMs, maxMs, expected) => {
    expect(boundedTimeoutMs(requestedMs, { defaultMs, maxMs })).toBe(expected);
  });
});
