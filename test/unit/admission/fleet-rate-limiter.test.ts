/** What an instance admits of a limit that the fleet shares: leases that come and run out, chunks, and nothing. */
import { describe, expect, it } from 'vitest';
import type { RateLease } from '../../../proto/fleet-messages.ts';
import type { FleetLimit } from '../../../proto/policy/fleet-limits.ts';
import { FleetRateLimiter } from '../../../sidecar/admission/fleet-rate-limiter.ts';
import { QuotaHolder } from '../../../sidecar/admission/quota-holder.ts';

const limit: FleetLimit = {
  rate: 1000,
  burst: 100,
  costMax: 1,
  instancesMax: 10,
  newcomerRate: 10,
  safeRateMax: 100,
  safeForMs: 60_000,
  withoutControlPlane: 'safe',
  chunks: false,
};
const closed: FleetLimit = { ...limit, withoutControlPlane: 'closed', newcomerRate: 0, safeRateMax: 0 };
const chunks: FleetLimit = { ...closed, chunks: true };
const lease: RateLease = {
  key: 'total',
  ratePerSecond: 200,
  burst: 20,
  ttlMs: 1000,
  safeRatePerSecond: 100,
  safeForMs: 60_000,
  policyVersion: 1,
  members: 3,
  chunk: 0,
};
const answer = (seq: number, sentAtMs: number, epoch = '5') => ({ epoch, seq, sentAtMs });

/** How many of a crowd get in at that time. */
function admittedAt(limiter: FleetRateLimiter, nowMs: number, cost = 1): number {
  let count = 0;
  while (count < 10_000 && limiter.tryAcquire('', nowMs, cost) === 0) count++;
  return count;
}

function admittedOver(limiter: FleetRateLimiter, fromMs: number, toMs: number): number {
  let count = 0;
  for (let nowMs = fromMs + 1; nowMs <= toMs; nowMs++) count += admittedAt(limiter, nowMs);
  return count;
}

function held(of: FleetLimit = limit) {
  const limiter = new FleetRateLimiter(of);
  limiter.tryAcquire('', 1000);
  const holder = new QuotaHolder('total', limiter);
  holder.take({ ...lease, ttlMs: 0 }, answer(1, 1000), 1, 1000);
  return { limiter, holder };
}

describe('FleetRateLimiter', () => {
  it('begins empty and admits a newcomer’s part', () => {
    const { limiter } = held();
    expect(admittedOver(limiter, 1000, 3000)).toBe(20);
    expect(limiter.reading(3000)).toMatchObject({ state: 'newcomer', rate: 10 });
  });

  it('admits the lease to its end, then the safe rate, then a newcomer’s part, however rarely it is asked', () => {
    const { limiter, holder } = held();
    expect(holder.take(lease, answer(1, 1000), 1, 1040)).toBe(true);
    expect(admittedOver(limiter, 1040, 2000)).toBe(192);
    expect(limiter.reading(2000)).toMatchObject({ state: 'safe', rate: 100 });
    expect(admittedOver(limiter, 2000, 3000)).toBe(100);
    // Nobody asked for a long time: the bucket of a safe rate, then that of a newcomer.
    expect(admittedAt(limiter, 10_000)).toBe(10);
    expect(admittedAt(limiter, 63_000)).toBe(5);
    expect(limiter.reading(63_000)).toMatchObject({ state: 'newcomer', rate: 10 });
  });

  it('gives no burst with a grant', () => {
    const { limiter, holder } = held();
    holder.take({ ...lease, ratePerSecond: 900, burst: 90 }, answer(1, 1000), 1, 1001);
    expect(admittedAt(limiter, 1001)).toBe(0);
    expect(admittedAt(limiter, 1501)).toBe(90);
  });

  it('admits nothing without a lease where that is closed, and says when to return', () => {
    const { limiter, holder } = held(closed);
    expect(limiter.tryAcquire('', 1500)).toBe(1000);
    holder.take({ ...lease, safeRatePerSecond: 0 }, answer(1, 1500), 1, 1500);
    expect(admittedAt(limiter, 1600)).toBe(20);
    expect(admittedAt(limiter, 2500)).toBe(0);
    expect(limiter.reading(2500)).toMatchObject({ state: 'closed', rate: 0 });
  });

  it('admits everything without a lease where that is open, and counts what no share covered', () => {
    const { limiter, holder } = held({ ...limit, withoutControlPlane: 'open' });
    holder.take(lease, answer(1, 1000), 1, 1000);
    expect(admittedAt(limiter, 1100)).toBe(20);
    const before = limiter.reading(2000);
    expect(before).toMatchObject({ state: 'open', overshoot: 1 });
    for (let i = 0; i < 30; i++) expect(limiter.tryAcquire('', 2000)).toBe(0);
    const { overshoot, admitted } = limiter.reading(2000);
    expect(admitted - before.admitted).toBe(30);
    expect(overshoot - before.overshoot).toBe(20);
  });

  it('is one bucket for all threads that share its memory', () => {
    const memory = new SharedArrayBuffer(FleetRateLimiter.bytesFor(limit));
    const [main, worker] = [new FleetRateLimiter(limit, memory, 1), new FleetRateLimiter(limit, memory, 2)];
    worker.tryAcquire('', 1000);
    const holder = new QuotaHolder('total', main);
    holder.take({ ...lease, ttlMs: 0 }, answer(1, 1000), 1, 1000);
    holder.take(lease, answer(1, 1000), 1, 1000);
    expect(admittedAt(worker, 1050) + admittedAt(main, 1050)).toBe(10);
    expect(main.reading(1050)).toMatchObject({ demand: 13, admitted: 10 });
  });
});

describe('FleetRateLimiter with chunks', () => {
  it('admits what was granted, each chunk within its time, the oldest first', () => {
    const { limiter, holder } = held(chunks);
    expect(holder.take({ ...lease, chunk: 5 }, answer(1, 1000), 1, 1010)).toBe(true);
    expect(holder.take({ ...lease, chunk: 4 }, answer(2, 1500), 1, 1510)).toBe(true);
    for (let i = 0; i < 3; i++) expect(limiter.tryAcquire('', 1600)).toBe(0);
    // Two of the first chunk are lost with it.
    expect(limiter.reading(1999).level).toBe(6);
    expect(limiter.reading(2000).level).toBe(4);
    expect(admittedAt(limiter, 2400)).toBe(4);
    expect(admittedAt(limiter, 2500)).toBe(0);
  });

  it('loses what a chunk too many pushes out, and never has more', () => {
    const { limiter, holder } = held(chunks);
    for (let seq = 1; seq <= 40; seq++) holder.take({ ...lease, chunk: 1 }, answer(seq, 1000 + seq), 1, 1000 + seq);
    expect(admittedAt(limiter, 1100)).toBe(16);
  });
});

describe('QuotaHolder', () => {
  it('takes the grants of one leader, in the order of its reports, and none whose time is up', () => {
    const { holder } = held();
    expect(holder.take(lease, answer(7, 1000), 1, 1010)).toBe(true);
    expect(holder.take(lease, answer(7, 1000), 1, 1011)).toBe(false);
    expect(holder.take(lease, answer(6, 900), 1, 1012)).toBe(false);
    expect(holder.take(lease, answer(8, 1000, '4'), 1, 1013)).toBe(false);
    expect(holder.take(lease, answer(8, 1000, '6'), 1, 1014)).toBe(false);
    expect(holder.take(lease, answer(8, 1000), 1, 2000)).toBe(false);
  });

  it('keeps what it holds when it meets a later leader, takes nothing of the one before, and says so at once', () => {
    const { limiter, holder } = held();
    holder.take(lease, answer(7, 1000), 1, 1000);
    holder.report(1, 1000);
    const hello = { ...lease, ttlMs: 0, ratePerSecond: 0, members: 9 };
    expect(holder.take(hello, answer(7, 1000, '4'), 1, 1010)).toBe(false);
    expect(holder.take(hello, answer(7, 1000, '6'), 1, 1010)).toBe(true);
    expect(holder.isUrgent(1101)).toBe(true);
    expect(limiter.reading(1010).rate).toBe(200);
    expect(holder.take(lease, answer(8, 1000), 1, 1020)).toBe(false);
    expect(holder.report(1, 1020)).toMatchObject({ heldEpoch: '6', heldSeq: 0, members: 9, ratePerSecond: 200 });
    expect(holder.take({ ...lease, ratePerSecond: 50 }, answer(9, 1020, '6'), 1, 1030)).toBe(true);
    expect(limiter.reading(1030).rate).toBe(50);
  });

  it('takes no lease that was made under an older policy', () => {
    const { holder } = held();
    expect(holder.take(lease, answer(1, 1000), 2, 1010)).toBe(false);
    expect(holder.take({ ...lease, policyVersion: 3 }, answer(1, 1000), 2, 1010)).toBe(true);
  });

  it('says what was asked and admitted since the last report, and what it holds', () => {
    const { limiter, holder } = held();
    holder.take(lease, answer(3, 1000), 1, 1000);
    holder.report(1, 1000);
    expect(holder.hasDemand(1050)).toBe(false);
    expect(admittedAt(limiter, 1050)).toBe(10);
    expect(holder.hasDemand(1050)).toBe(true);
    expect(holder.report(1, 1050)).toEqual({
      key: 'total',
      demand: 11,
      admitted: 10,
      overshoot: 0,
      heldEpoch: '5',
      heldSeq: 3,
      ratePerSecond: 200,
      safeRatePerSecond: 100,
      members: 3,
      leaving: false,
      policyVersion: 1,
      chunkLeft: 0,
    });
  });

  it('has something urgent to say when it has given up much, until it has said so', () => {
    const { holder } = held();
    holder.report(1, 1000);
    holder.take(lease, answer(1, 1000), 1, 1000);
    expect(holder.isUrgent(1101)).toBe(false);
    holder.take({ ...lease, ratePerSecond: 150 }, answer(2, 1100), 1, 1100);
    expect(holder.isUrgent(1101)).toBe(true);
    holder.report(1, 1101);
    expect(holder.isUrgent(1101)).toBe(false);
  });

  it('admits and takes nothing more once it leaves', () => {
    const { limiter, holder } = held();
    holder.take(lease, answer(1, 1000), 1, 1000);
    holder.leave();
    expect(admittedAt(limiter, 1500)).toBe(0);
    expect(holder.take(lease, answer(2, 1500), 1, 1500)).toBe(false);
    expect(holder.report(1, 1500)).toMatchObject({ leaving: true, ratePerSecond: 0 });
  });

  it('believes no number that is none', () => {
    const { limiter, holder } = held();
    const odd = { ...lease, ratePerSecond: Number.NaN, burst: -5, safeRatePerSecond: Number.POSITIVE_INFINITY };
    holder.take(odd, answer(1, 1000), 1, 1000);
    expect(limiter.reading(1500)).toMatchObject({ rate: 0, safeRate: 0, level: 0 });
  });
});
