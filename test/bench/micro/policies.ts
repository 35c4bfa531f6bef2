/**
 * What one decision of the hot path costs, in ns: rate limiters, admission, breaker, balancer, timer wheel. Run with
 * `node --expose-gc dist/test/bench/micro/policies.js`; with the flag it also says how many bytes an operation leaves on
 * the heap: 16 are the caller's, the box of a fractional time that is passed on (with whole ms there are none).
 */
import { XorShift32 } from '../../../proto/kernel/random.ts';
import { CallbackTimer, TimerWheel } from '../../../proto/kernel/timer-wheel.ts';
import { Admission, type QueueSettings, type Waiter } from '../../../sidecar/admission/admission.ts';
import { KeyedRateLimiter } from '../../../sidecar/admission/keyed-rate-limiter.ts';
import { full } from '../../../sidecar/admission/queue-settings.ts';
import { SingleRateLimiter } from '../../../sidecar/admission/rate-limiter.ts';
import { Breaker, type BreakerSettings } from '../../../sidecar/resilience/breaker.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { TargetCounts } from '../../../sidecar/resilience/target-counts.ts';
import { AuthorityMap } from '../../../sidecar/routing/authority.ts';
import { Cluster } from '../../../sidecar/routing/cluster.ts';

const rounds = 30;
const operationsPerRound = 200_000;

/** Runs the operation `count` times; its result is summed up, so that none of it can be optimised away. */
type Case = (count: number) => number;

const waiter: Waiter = {
  bytes: 100,
  tier: 2,
  tenant: '',
  deadlineMs: 0,
  userLevel: 0,
  queueSlot: -1,
  onAdmitted: () => {},
  onRefused: () => {},
};
const queue: QueueSettings = { requestsMax: 100, bytesMax: 1e6, waitMaxMs: 200, ...full };

const breakerSettings: BreakerSettings = {
  consecutiveFailures: 5,
  failureRatio: { percent: 50, minRequests: 20, windowMs: 2000, windowRequests: 0 },
  slowCalls: null,
  openForMs: 1000,
  openForMaxMs: 15_000,
  probes: 3,
  probeTimeoutMs: 10_000,
};

/**
 * The time between two operations: 100,000 requests a second. Each case keeps it in a local variable while it runs, since
 * a captured fraction would be boxed anew with every step.
 */
const stepMs = 0.01;

function gcra(ratePerSecond: number): Case {
  const limiter = new SingleRateLimiter({ kind: 'tokenBucket', ratePerSecond, burst: 100 });
  let lastMs = 0;
  return (count) => {
    let sum = 0;
    let nowMs = lastMs;
    for (let i = 0; i < count; i++) {
      nowMs += stepMs;
      sum += limiter.tryAcquire('', nowMs);
    }
    lastMs = nowMs;
    return sum;
  };
}

function keyed(keyCount: number, keysMax: number): Case {
  const limiter = new KeyedRateLimiter({ kind: 'tokenBucket', ratePerSecond: 50, burst: 100 }, keysMax);
  const keys = Array.from({ length: keyCount }, (_, i) => `client-${i}`);
  let lastMs = 0;
  let next = 0;
  return (count) => {
    let sum = 0;
    let nowMs = lastMs;
    for (let i = 0; i < count; i++) {
      nowMs += stepMs;
      sum += limiter.tryAcquire(keys[next]!, nowMs);
      if (++next === keyCount) next = 0;
    }
    lastMs = nowMs;
    return sum;
  };
}

function enterAndLeave(): Case {
  const admission = new Admission({ limit: 64, queue });
  let lastMs = 0;
  return (count) => {
    let sum = 0;
    let nowMs = lastMs;
    for (let i = 0; i < count; i++) {
      nowMs += stepMs;
      sum += admission.enter(waiter, nowMs);
      admission.leave(nowMs);
    }
    lastMs = nowMs;
    return sum;
  };
}

/** Every request waits: one enters the queue, one leaves, which admits it. */
function throughTheQueue(): Case {
  const admission = new Admission({ limit: 1, queue });
  admission.enter(waiter, 0);
  let lastMs = 0;
  return (count) => {
    let sum = 0;
    let nowMs = lastMs;
    for (let i = 0; i < count; i++) {
      nowMs += stepMs;
      sum += admission.enter(waiter, nowMs);
      admission.leave(nowMs);
    }
    lastMs = nowMs;
    return sum;
  };
}

function refusedByFullQueue(): Case {
  const admission = new Admission({ limit: 1, queue: null });
  admission.enter(waiter, 0);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += admission.enter(waiter, i) + admission.retryAfterMs(i);
    return sum;
  };
}

function acquireAndRecord(): Case {
  const breaker = new Breaker(breakerSettings);
  let lastMs = 0;
  return (count) => {
    let sum = 0;
    let nowMs = lastMs;
    for (let i = 0; i < count; i++) {
      nowMs += stepMs;
      sum += breaker.tryAcquire(nowMs);
      const outcome = i % 10 === 0 ? Outcome.failure : Outcome.success;
      breaker.record(outcome, 1, breaker.lastAcquireWasProbe, breaker.generation, nowMs);
    }
    lastMs = nowMs;
    return sum;
  };
}

function refusedByOpenBreaker(): Case {
  const breaker = new Breaker({ ...breakerSettings, openForMs: 1e12, openForMaxMs: 1e12 });
  for (let i = 0; i < 5; i++) breaker.record(Outcome.failure, 1, false, breaker.generation, 0);
  let lastMs = 0;
  return (count) => {
    let sum = 0;
    let nowMs = lastMs;
    for (let i = 0; i < count; i++) {
      nowMs += stepMs;
      sum += breaker.tryAcquire(nowMs);
    }
    lastMs = nowMs;
    return sum;
  };
}

function pickOf(endpointCount: number): Case {
  const cluster = new Cluster({ key: 'shop/payments', random: new XorShift32(1) });
  cluster.updateEndpoints(
    Array.from({ length: endpointCount }, (_, i) => ({
      instance: `payments-${i}`,
      address: `10.0.0.1:${i + 1}`,
      zone: '',
      draining: false,
    })),
  );
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += cluster.pick(i)!.port;
    return sum;
  };
}

function countOutcome(): Case {
  const counts = new TargetCounts();
  const addresses = Array.from({ length: 10 }, (_, i) => `10.0.0.1:${i + 1}`);
  return (count) => {
    for (let i = 0; i < count; i++) counts.recordOutcome(Outcome.success, 1, addresses[i % 10]!);
    return counts.n;
  };
}

function resolveAuthority(): Case {
  const map = new AuthorityMap({ namespace: 'shop' });
  const authorities = ['payments:50051', 'orders.shop.svc.cluster.local', 'stock.shop'];
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += map.resolve(authorities[i % 3]!)!.length;
    return sum;
  };
}

/** A deadline that is set and cancelled, with 10,000 others waiting and time going on. */
function scheduleAndCancel(): Case {
  const wheel = new TimerWheel(4, 0);
  for (let i = 0; i < 10_000; i++) wheel.schedule(new CallbackTimer(() => {}), 1e9 + i);
  const timer = new CallbackTimer(() => {});
  let lastMs = 0;
  return (count) => {
    let nowMs = lastMs;
    for (let i = 0; i < count; i++) {
      nowMs += stepMs;
      wheel.schedule(timer, nowMs + 1000);
      if (i % 400 === 0) wheel.advance(nowMs);
      wheel.cancel(timer);
    }
    lastMs = nowMs;
    return wheel.size;
  };
}

const cases: readonly [name: string, operation: Case][] = [
  ['GcraLimiter.tryAcquire, admitted', gcra(200_000)],
  ['GcraLimiter.tryAcquire, half refused', gcra(50_000)],
  ['KeyedRateLimiter.tryAcquire, 1,000 known keys', keyed(1000, 10_000)],
  ['KeyedRateLimiter.tryAcquire, 20,000 keys in 10,000 slots', keyed(20_000, 10_000)],
  ['Admission.enter + leave, free permit', enterAndLeave()],
  ['Admission.enter + leave, through the queue', throughTheQueue()],
  ['Admission.enter + retryAfterMs, refused', refusedByFullQueue()],
  ['Breaker.tryAcquire + record, closed', acquireAndRecord()],
  ['Breaker.tryAcquire, refused', refusedByOpenBreaker()],
  ['Cluster.pick of 10', pickOf(10)],
  ['TargetCounts.recordOutcome', countOutcome()],
  ['AuthorityMap.resolve, cached', resolveAuthority()],
  ['TimerWheel.schedule + cancel, 10,000 waiting', scheduleAndCancel()],
];

let sink = 0;

function measure(operation: Case): { medianNs: number; bytes: number } {
  for (let i = 0; i < 5; i++) sink += operation(operationsPerRound);
  globalThis.gc?.();
  const heapBefore = process.memoryUsage().heapUsed;
  sink += operation(operationsPerRound);
  const bytes = (process.memoryUsage().heapUsed - heapBefore) / operationsPerRound;
  const samples = Array.from({ length: rounds }, () => {
    const startMs = performance.now();
    sink += operation(operationsPerRound);
    return ((performance.now() - startMs) * 1e6) / operationsPerRound;
  });
  samples.sort((a, b) => a - b);
  return { medianNs: samples[rounds >> 1]!, bytes };
}

for (const [name, operation] of cases) {
  const { medianNs, bytes } = measure(operation);
  const heap = globalThis.gc === undefined ? '' : `${Math.max(0, bytes).toFixed(1).padStart(8)} B`;
  console.log(`${name.padEnd(60)}${medianNs.toFixed(1).padStart(8)} ns${heap}`);
}
if (Number.isNaN(sink)) console.log('a result was not a number');
