/** Which failures are repeated, for which calls, and after how long. */
import { describe, expect, test } from 'vitest';
import { XorShift32 } from '../../../proto/kernel/random.ts';
import {
  AttemptEnd,
  neverAgain,
  noPushback,
  pushbackOf,
  type RetryRules,
  repeatsAnswer,
  repeatsEnd,
  retryDelayMs,
} from '../../../sidecar/resilience/retry-rules.ts';

const rules: RetryRules = {
  onConnectFailure: true,
  onRefused: true,
  onReset: true,
  onTryTimeout: true,
  grpcStatuses: 1 << 14,
  httpStatuses: [502, 503, 504],
  nonIdempotent: false,
  backoffBaseMs: 25,
  backoffMaxMs: 250,
};
const get = { method: 'GET', isGrpc: false };
const post = { method: 'POST', isGrpc: false };
const call = { method: 'POST', isGrpc: true };
const { connectFailure, refused, reset, tryTimeout, other } = AttemptEnd;

describe('the rules of retries', () => {
  test('repeat what nobody has seen for every call, and what somebody may have seen for idempotent ones', () => {
    const of = (request: typeof get) =>
      [connectFailure, refused, reset, tryTimeout, other].map((end) => repeatsEnd(rules, request, end));
    expect(of(get)).toEqual([true, true, true, true, false]);
    expect(of(post)).toEqual([true, true, false, false, false]);
    expect(of(call)).toEqual([true, true, false, false, false]);
    expect(repeatsEnd({ ...rules, nonIdempotent: true }, post, reset)).toBe(true);
    expect(repeatsEnd({ ...rules, onConnectFailure: false }, get, connectFailure)).toBe(false);
  });

  test('repeat the answers that the policy lists: HTTP for idempotent methods, gRPC for every call', () => {
    expect(repeatsAnswer(rules, get, 503, '')).toBe(true);
    expect(repeatsAnswer(rules, post, 503, '')).toBe(false);
    expect(repeatsAnswer({ ...rules, nonIdempotent: true }, post, 503, '')).toBe(true);
    expect(repeatsAnswer(rules, get, 500, '')).toBe(false);
    expect(repeatsAnswer(rules, call, 200, '14')).toBe(true);
    expect(repeatsAnswer(rules, call, 200, '8')).toBe(false);
    expect(repeatsAnswer(rules, call, 200, '0')).toBe(false);
    for (const odd of ['46', '-1', 'x', '1e1']) expect(repeatsAnswer(rules, call, 200, odd)).toBe(false);
  });
});

describe('pushback', () => {
  test('is a time when it is a whole number, and never otherwise', () => {
    expect(pushbackOf(undefined, undefined)).toBe(noPushback);
    expect(pushbackOf('0', undefined)).toBe(0);
    expect(pushbackOf('1500', '9')).toBe(1500);
    for (const odd of ['-1', '', 'soon', '1.5', '99999999999']) expect(pushbackOf(odd, undefined)).toBe(neverAgain);
    expect(pushbackOf(undefined, '2')).toBe(2000);
    expect(pushbackOf(undefined, 'Wed, 21 Oct 2026 07:28:00 GMT')).toBe(neverAgain);
  });

  test('is waited for in full, and up to a fifth longer; without it the wait is anything up to base · 2ⁿ', () => {
    const random = new XorShift32(7);
    const delays = (retries: number, pushbackMs: number): number[] =>
      Array.from({ length: 500 }, () => retryDelayMs(rules, retries, pushbackMs, random));
    const range = (values: number[]): [number, number] => [Math.min(...values), Math.max(...values)];
    const [least, most] = range(delays(0, 1000));
    expect(least).toBeGreaterThanOrEqual(1000);
    expect(most).toBeLessThan(1200);
    for (const [retries, top] of [
      [0, 25],
      [1, 50],
      [9, 250],
    ] as const) {
      const [low, high] = range(delays(retries, noPushback));
      expect(low).toBeLessThan(top * 0.05);
      expect(high).toBeGreaterThan(top * 0.95);
      expect(high).toBeLessThan(top);
    }
  });
});
