/** VegasBDP: its formulas by hand, and what it finds for an app of c workers in a small simulation. */
import { describe, expect, it } from 'vitest';
import { VegasBdpLimit } from '../../../../sidecar/admission/concurrency/vegas-bdp-limit.ts';
import { AppOfWorkers } from './app-of-workers.ts';

const range = { min: 1, max: 1000, initial: 20 };

/** Answers one after the other, `everyMs` apart. */
class Feed {
  readonly limit: VegasBdpLimit;
  nowMs = 0;

  constructor(limit: VegasBdpLimit) {
    this.limit = limit;
  }

  answers(count: number, everyMs: number, rttMs: number, inFlight: number, isDrop = false): void {
    for (let i = 0; i < count; i++) {
      this.limit.onSample(this.nowMs, rttMs, inFlight, isDrop);
      this.nowMs += everyMs;
    }
  }
}

/** Knows the base from a window in which it was not busy. */
function knowing(baseMs: number): Feed {
  const feed = new Feed(new VegasBdpLimit(range));
  feed.answers(26, 10, baseMs, 3);
  return feed;
}

describe('VegasBdpLimit', () => {
  it('begins where it is told, knowing no base', () => {
    const limit = new VegasBdpLimit(range);
    expect([limit.limit(), limit.baseRttMs]).toEqual([20, 0]);
  });

  it('stays where it is while the app is not busy, and learns the base from it', () => {
    const { limit } = knowing(5);
    expect([limit.limit(), limit.baseRttMs]).toEqual([20, 5]);
  });

  it('does not rise while nobody reaches it, however busy', () => {
    const feed = knowing(5);
    feed.answers(27, 10, 5, 12);
    expect(feed.limit.limit()).toBe(20);
  });

  it('rises where it is reached now and then, to twice the work and no further', () => {
    const feed = knowing(5);
    // 2/ms · 5 ms = 10: with 1.5 on top 21.5, which is less than 20 + √20 / 2.
    for (let i = 0; i < 502; i++) feed.answers(1, 0.5, 5, i % 10 === 0 ? 20 : 12);
    expect(feed.limit.limit()).toBe(21);
    for (let i = 0; i < 2000; i++) feed.answers(1, 0.5, 5, i % 10 === 0 ? 21 : 12);
    expect(feed.limit.limit()).toBe(21);
  });

  it('falls to what the app works on when it is full at once and does no less than before, without a dip', () => {
    const feed = new Feed(new VegasBdpLimit(range));
    feed.answers(101, 2.5, 10, 4);
    // 8 workers of 10 ms with 20 in flight: 25 ms each, 0.8/ms. Those sent before it filled do not count for m.
    for (let i = 0; i < 201; i++) feed.answers(1, 1.25, 25, 20);
    // 1.25 · 8 + 1.5, and there was no time for a dip.
    expect([feed.limit.limit(), feed.limit.baseRttMs]).toEqual([11, 10]);
  });

  it('is not led astray by a window of quick answers', () => {
    const feed = knowing(10);
    for (let i = 0; i < 10; i++) feed.answers(26, 10, 10, 3);
    feed.answers(26, 10, 7, 3);
    // 25 answers against the last ten windows', which are half forgotten after 4 s.
    expect(feed.limit.baseRttMs).toBeGreaterThan(9.4);
    for (let i = 0; i < 60; i++) feed.answers(26, 10, 7, 3);
    expect(feed.limit.baseRttMs).toBeLessThan(7.2);
  });

  it('dips to half of the limit when it knows no base, and takes it from what comes back meanwhile', () => {
    const limit = new VegasBdpLimit(range);
    const feed = new Feed(limit);
    // 8 workers of 10 ms, 20 in flight: 25 ms each, 0.8/ms. Those sent before the window began do not count for m.
    feed.answers(201, 1.25, 25, 20);
    expect([limit.limit(), limit.baseRttMs]).toEqual([10, 0]);
    for (let inFlight = 19; inFlight >= 10; inFlight--) feed.answers(1, 1.25, 25, inFlight);
    // 40 answers, 4 for each of the 10: 10 in flight · 1.25 ms = 12.5 ms
    feed.answers(39, 1.25, 12.5, 10);
    expect(limit.limit()).toBe(10);
    feed.answers(1, 1.25, 12.5, 10);
    expect(limit.baseRttMs).toBeCloseTo(12.5, 6);
    // 0.8/ms in the dip as before: half was enough. 10 + √10/2 = 11.58
    expect(limit.limit()).toBe(11);
  });

  it('falls on drops although answers are quick: the app refuses, or times out', () => {
    const feed = knowing(5);
    for (let i = 0; i < 27; i++) feed.answers(1, 10, 5, 12, i % 4 === 0);
    // 20 − √20/2
    expect(feed.limit.limit()).toBe(17);
  });

  it('does not take quick refusals for quick answers', () => {
    const feed = knowing(20);
    for (let i = 0; i < 60; i++) feed.answers(1, 10, i % 2 === 0 ? 0.1 : 20, 12, i % 2 === 0);
    expect(feed.limit.baseRttMs).toBeCloseTo(20, 6);
  });

  it('believes an app that became slower when no more are in it than it worked on before', () => {
    const feed = knowing(10);
    const { limit } = feed;
    // Full at 20 with 2/ms: bdp = 20 and no queue; it rises.
    for (let i = 0; i < 501; i++) feed.answers(1, 0.5, 10, limit.limit());
    const before = limit.limit();
    expect(before).toBeGreaterThanOrEqual(22);
    // Answers take three times as long: a dip finds the same, and nothing is taken from the limit.
    for (let i = 0; i < 1200; i++) feed.answers(1, 30 / limit.limit(), 30, limit.limit());
    expect(limit.baseRttMs).toBeGreaterThan(25);
    expect(limit.limit()).toBeGreaterThanOrEqual(before - 3);
  });

  it.each([1, 2, 4, 8])('finds %i workers at twice their capacity, and stays there', (workers) => {
    const limit = new VegasBdpLimit(range);
    const app = new AppOfWorkers({ workers, serviceMs: 10, seed: 7 });
    app.offer(limit, { untilMs: 20_000, load: 2 });
    const { served, limits } = app.offer(limit, { untilMs: 120_000, load: 2 });
    const capacity = (workers / 10) * 100_000;
    expect(served / capacity).toBeGreaterThan(0.95);
    limits.sort((a, b) => a - b);
    expect(limits[Math.floor(limits.length * 0.5)]).toBeGreaterThanOrEqual(workers);
    expect(limits[Math.floor(limits.length * 0.5)]).toBeLessThanOrEqual(workers + 4);
    expect(limits[limits.length - 1]).toBeLessThanOrEqual(2 * workers + 16);
  });
});
