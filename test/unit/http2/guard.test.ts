/**
 * Budgets as arithmetic: how much of each a peer has, what refills it, and what does not count.
 */
import { describe, expect, test } from 'vitest';
import { GlitchVerdict, Guard, RateBudget } from '../../../sidecar/http2/guard.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';

/** How often it may be done before the answer is no. */
function allowed(act: () => boolean, atMost = 100_000): number {
  for (let count = 0; count < atMost; count++) if (!act()) return count;
  return atMost;
}

function guardAt(nowMs: number): Guard {
  const guard = new Guard(defaultLimits);
  guard.onReceive(nowMs);
  guard.onReceive(nowMs);
  return guard;
}

describe('RateBudget', () => {
  test('allows the burst at once and the rate afterwards, never more than the burst saved up', () => {
    const budget = new RateBudget(10, 50);
    expect(allowed(() => budget.take(1000))).toBe(50);
    expect(allowed(() => budget.take(1100))).toBe(1);
    expect(allowed(() => budget.take(3_600_000))).toBe(50);
  });

  test('bounds any second to burst and rate, however the takes are spread', () => {
    const budget = new RateBudget(100, 100);
    let taken = 0;
    for (let ms = 0; ms < 1000; ms += 0.5) if (budget.take(ms)) taken++;
    expect(taken).toBeGreaterThanOrEqual(198);
    expect(taken).toBeLessThanOrEqual(200);
  });
});

describe('Guard', () => {
  test('allows 50 SETTINGS at once, then 10 a second', () => {
    const guard = guardAt(0);
    expect(allowed(() => guard.onSettings())).toBe(50);
    guard.onReceive(1000);
    expect(allowed(() => guard.onSettings())).toBe(10);
  });

  test('allows 100 PINGs a second and one for each DATA frame sent, of which it remembers ten thousand', () => {
    const guard = guardAt(0);
    expect(allowed(() => guard.onPing(0))).toBe(100);
    expect(allowed(() => guard.onPing(40))).toBe(40);
    expect(allowed(() => guard.onPing(1_000_000))).toBe(10_100);
  });

  test('never refuses a receiver that pings on every DATA frame', () => {
    const guard = guardAt(0);
    for (let sent = 1; sent <= 100_000; sent++) expect(guard.onPing(sent)).toBe(true);
  });

  test('allows 5 + 2 * (streams + 10 * DATA sent) WINDOW_UPDATEs', () => {
    const guard = guardAt(0);
    expect(allowed(() => guard.onWindowUpdate(0))).toBe(5);
    const other = guardAt(0);
    other.onStream();
    other.onStream();
    other.onStream();
    expect(allowed(() => other.onWindowUpdate(7))).toBe(5 + 2 * (3 + 70));
  });

  test('allows 100 * (1 + streams) PRIORITYs', () => {
    const guard = guardAt(0);
    guard.onStream();
    expect(allowed(() => guard.onPriority())).toBe(200);
  });

  test('bears 100 empty DATA frames, and one more for each with content', () => {
    const guard = guardAt(0);
    expect(allowed(() => guard.onEmptyData())).toBe(100);
    const mixed = guardAt(0);
    for (let i = 0; i < 10_000; i++) {
      expect(mixed.onEmptyData()).toBe(true);
      mixed.onContent();
    }
  });

  test('warns once at 7,500 glitches and gives up at 10,000, and forgets 330 a second', () => {
    const guard = guardAt(0);
    const verdicts: number[] = [];
    for (let i = 0; i < 10_000; i++) verdicts.push(guard.onGlitch());
    expect(verdicts.indexOf(GlitchVerdict.warn)).toBe(7499);
    expect(verdicts.lastIndexOf(GlitchVerdict.warn)).toBe(7499);
    expect(verdicts.indexOf(GlitchVerdict.over)).toBe(9999);
    const steady = guardAt(0);
    for (let i = 0; i < 330 * 60; i++) {
      steady.onReceive((i * 1000) / 330);
      expect(steady.onGlitch()).toBe(GlitchVerdict.fine);
    }
  });
});

describe('Guard, about resets', () => {
  const early = { openedMs: 0, openedLateMs: 0, isAnswered: false, handler: null };

  test('gives up when more than half of the last thousand streams were reset early', () => {
    const guard = guardAt(10);
    expect(allowed(() => guard.onAbruptEnd(early))).toBe(500);
  });

  test('bears half of the streams reset early, for ever', () => {
    const guard = guardAt(10);
    for (let i = 0; i < 10_000; i++) {
      expect(guard.onAbruptEnd(early)).toBe(true);
      guard.onGoodEnd();
    }
  });

  test('forgets what lies a thousand streams back', () => {
    const guard = guardAt(10);
    for (let i = 0; i < 500; i++) guard.onAbruptEnd(early);
    for (let i = 0; i < 1000; i++) guard.onGoodEnd();
    expect(allowed(() => guard.onAbruptEnd(early))).toBe(500);
  });

  test.each([
    ['after a second', { ...early, openedMs: -990 }],
    ['after the response began', { ...early, isAnswered: true }],
    ['past its deadline', { ...early, handler: { deadlineMs: 10 } }],
    ['in the last tenth before its deadline', { ...early, openedMs: -90, handler: { deadlineMs: 20 } }],
    ['past its deadline by the time it waited for us', { ...early, openedLateMs: 30, handler: { deadlineMs: 35 } }],
  ])('does not count a stream reset %s', (_name, stream) => {
    const guard = guardAt(10);
    expect(allowed(() => guard.onAbruptEnd(stream), 5000)).toBe(5000);
  });

  test('counts resets well before the deadline, and malformed requests', () => {
    const guard = guardAt(10);
    const patient = { ...early, handler: { deadlineMs: 1000 } };
    expect(allowed(() => guard.onAbruptEnd(patient) && guard.onMalformedRequest())).toBe(250);
  });

  test('lets deadlines excuse 10,000 resets a second and no more', () => {
    const guard = guardAt(10);
    const passed = { ...early, handler: { deadlineMs: 5 } };
    expect(allowed(() => guard.onAbruptEnd(passed))).toBe(10_500);
  });

  test('judges ages right when the milliseconds wrap around', () => {
    const wrap = 2 ** 31;
    const guard = guardAt(wrap + 10);
    expect(allowed(() => guard.onAbruptEnd({ ...early, openedMs: (wrap - 10) | 0 }))).toBe(500);
  });
});
