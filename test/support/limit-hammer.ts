/**
 * A thread that hammers limits it shares with others, as hard as it can, and keeps its own books beside them: what was
 * admitted, and how many were in flight at once, counted where all threads count. Its report goes to its parent.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { XorShift32 } from '../../proto/kernel/random.ts';
import { Admission, type AdmissionSettings, Decision, type Waiter } from '../../sidecar/admission/admission.ts';
import type { MeterOptions } from '../../sidecar/admission/meter.ts';
import { SingleRateLimiter } from '../../sidecar/admission/rate-limiter.ts';
import { SharedKeyedRateLimiter } from '../../sidecar/admission/shared-keyed-rate-limiter.ts';
import { alignClock, tick } from '../../sidecar/io/clock.ts';

export interface HammerStart {
  readonly seat: number;
  readonly seats: number;
  readonly clockOriginMs: number;
  readonly rate: MeterOptions;
  readonly rateMemory: SharedArrayBuffer;
  readonly keysMemory: SharedArrayBuffer;
  readonly keysMax: number;
  readonly admission: AdmissionSettings;
  readonly admissionMemory: SharedArrayBuffer;
  /** In flight now, and the most there ever were. */
  readonly books: SharedArrayBuffer;
  readonly rounds: number;
}

export interface HammerReport {
  readonly rateAdmitted: number;
  readonly keysAdmitted: readonly number[];
  readonly admitted: number;
  readonly refused: number;
  readonly longestWaitMs: number;
  /** First and last time at which it asked the rate limiter. */
  readonly fromMs: number;
  readonly toMs: number;
}

if (parentPort !== null) parentPort.postMessage(await hammer(workerData));

async function hammer(start: HammerStart): Promise<HammerReport> {
  alignClock(start.clockOriginMs);
  const { seat, seats, books } = start;
  const owner = seat + 2;
  const rate = new SingleRateLimiter(start.rate, start.rateMemory, owner);
  const keyed = new SharedKeyedRateLimiter(start.rate, start.keysMax, {
    memory: start.keysMemory,
    owner,
    seeds: [1, 2],
  });
  const admission = new Admission(start.admission, {
    seat: { index: seat, count: seats, wake: () => {} },
    memory: start.admissionMemory,
  });
  const random = new XorShift32(seat + 1);
  const counts = new Int32Array(books);
  const held: number[] = [];
  let [rateAdmitted, admitted, refused, waiting, longestWaitMs] = [0, 0, 0, 0, 0];
  const keysAdmitted = [0, 0, 0, 0];
  const take = (): void => {
    admitted++;
    held.push(admitted);
    const now = Atomics.add(counts, 0, 1) + 1;
    for (let most = Atomics.load(counts, 1); now > most; most = Atomics.load(counts, 1)) {
      Atomics.compareExchange(counts, 1, most, now);
    }
  };
  const giveBack = (): void => {
    held.pop();
    Atomics.sub(counts, 0, 1);
    admission.leave(tick());
  };
  const waiter = (): Waiter => {
    const enteredMs = tick();
    return {
      bytes: 10,
      tier: 2,
      tenant: '',
      deadlineMs: 0,
      userLevel: 0,
      queueSlot: -1,
      onAdmitted: (nowMs) => {
        waiting--;
        longestWaitMs = Math.max(longestWaitMs, nowMs - enteredMs);
        take();
      },
      onRefused: () => {
        waiting--;
        refused++;
      },
    };
  };
  const fromMs = tick();
  for (let round = 0; round < start.rounds; round++) {
    if (rate.tryAcquire('', tick()) <= 0) rateAdmitted++;
    const key = round % keysAdmitted.length;
    if (keyed.tryAcquire(`key-${key}`, tick()) <= 0) keysAdmitted[key]! += 1;
    const decision = admission.enter(waiter(), tick());
    if (decision === Decision.admitted) take();
    else if (decision === Decision.queued) waiting++;
    else refused++;
    while (held.length > 0 && random.next() < 0.7) giveBack();
    if (round % 16 === 0) {
      admission.expire(tick());
      await turn();
    }
  }
  const toMs = tick();
  while (held.length > 0 || waiting > 0) {
    if (held.length > 0) giveBack();
    admission.expire(tick());
    await turn();
  }
  return { rateAdmitted, keysAdmitted, admitted, refused, longestWaitMs, fromMs, toMs };
}
