/** Limits in shared memory under real threads that hammer them at once: no bound is ever passed and nothing is lost. */
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { Admission, type AdmissionSettings } from '../../sidecar/admission/admission.ts';
import type { MeterOptions } from '../../sidecar/admission/meter.ts';
import { fifo } from '../../sidecar/admission/queue-settings.ts';
import { SingleRateLimiter } from '../../sidecar/admission/rate-limiter.ts';
import { overseer } from '../../sidecar/admission/seat.ts';
import { SharedKeyedRateLimiter } from '../../sidecar/admission/shared-keyed-rate-limiter.ts';
import { clockOriginMs, tick } from '../../sidecar/io/clock.ts';
import type { HammerReport, HammerStart } from '../support/limit-hammer.ts';
import { distFolder } from '../support/process.ts';

const seats = 4;
const rounds = 12_000;
const keysMax = 100;
const entry = resolve(distFolder, 'test/support/limit-hammer.js');

function report(workerData: HammerStart): Promise<HammerReport> {
  return new Promise((settle, fail) => {
    const worker = new Worker(entry, { workerData });
    worker.once('message', settle);
    worker.once('error', fail);
  });
}

/** The least that must be admitted, and the most that may be, in so many seconds. */
const cases: readonly { rate: MeterOptions; least: number; most: (seconds: number) => number }[] = [
  {
    rate: { kind: 'tokenBucket', ratePerSecond: 1000, burst: 50 },
    least: 50,
    most: (seconds) => 50 + 1000 * seconds,
  },
  {
    rate: { kind: 'tokenBucket', ratePerSecond: 20_000, burst: 1 },
    least: 1,
    most: (seconds) => 1 + 20_000 * seconds,
  },
  {
    rate: { kind: 'leakyBucket', ratePerSecond: 1000, waitMaxMs: 20 },
    least: 1,
    most: (seconds) => 1 + 1000 * (seconds + 0.02),
  },
  {
    rate: { kind: 'fixedWindow', limit: 40, windowMs: 50 },
    least: 40,
    most: (seconds) => 40 * (Math.ceil(seconds / 0.05) + 1),
  },
  {
    rate: { kind: 'slidingWindow', limit: 40, windowMs: 50 },
    least: 40,
    most: (seconds) => 40 * (1 + seconds / 0.05),
  },
];

it.each(cases)('shared limits hold under four threads at once ($rate)', async ({ rate, least, most }) => {
  const admission: AdmissionSettings = {
    limit: 7,
    queue: { ...fifo, requestsMax: 20, bytesMax: 150, waitMaxMs: 10_000 },
  };
  const shared = {
    seats,
    clockOriginMs: clockOriginMs(),
    rate,
    rateMemory: new SharedArrayBuffer(SingleRateLimiter.bytesFor(rate)),
    keysMemory: new SharedArrayBuffer(SharedKeyedRateLimiter.bytesFor(rate, keysMax)),
    keysMax,
    admission,
    admissionMemory: new SharedArrayBuffer(Admission.bytesFor(seats)),
    books: new SharedArrayBuffer(8),
    rounds,
  };
  const reports = await Promise.all(Array.from({ length: seats }, (_, seat) => report({ ...shared, seat })));
  const sum = (pick: (one: HammerReport) => number): number => reports.reduce((total, one) => total + pick(one), 0);
  const seconds =
    (Math.max(...reports.map(({ toMs }) => toMs)) - Math.min(...reports.map(({ fromMs }) => fromMs))) / 1000;
  const perKey = [0, 1, 2, 3].map((key) => sum(({ keysAdmitted }) => keysAdmitted[key]!));
  for (const admitted of [sum(({ rateAdmitted }) => rateAdmitted), ...perKey]) {
    expect(admitted).toBeGreaterThanOrEqual(least);
    expect(admitted).toBeLessThanOrEqual(most(seconds) + 1);
  }
  const [inFlight, mostInFlight] = new Int32Array(shared.books);
  expect([inFlight, mostInFlight]).toEqual([0, admission.limit]);
  expect(sum(({ admitted, refused }) => admitted + refused)).toBe(seats * rounds);
  expect(Math.min(...reports.map(({ admitted }) => admitted))).toBeGreaterThan(0);
  const after = new Admission(admission, {
    seat: { index: overseer, count: seats, wake: () => {} },
    memory: shared.admissionMemory,
  });
  after.expire(tick());
  expect([after.inFlight, after.queued, after.queuedBytes]).toEqual([0, 0, 0]);
  console.log(
    `longest wait for a permit: ${Math.max(...reports.map(({ longestWaitMs }) => longestWaitMs)).toFixed(1)} ms`,
  );
});
