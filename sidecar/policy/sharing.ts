/**
 * Where the limits of a policy keep their numbers when several threads apply it: the main thread makes the memory and
 * sends it with the policy, each worker attaches to it. What no other thread uses stays private: the inbound limits are
 * those of the own service, the breaker that of a target.
 */

import { Admission } from '../admission/admission.ts';
import { algorithmCells } from '../admission/concurrency/algorithm.ts';
import type { DeliveryCredit } from '../admission/delivery-credit.ts';
import { FleetRateLimiter } from '../admission/fleet-rate-limiter.ts';
import { SingleRateLimiter } from '../admission/rate-limiter.ts';
import { alone, type Seat } from '../admission/seat.ts';
import { SharedKeyedRateLimiter } from '../admission/shared-keyed-rate-limiter.ts';
import { WaitingLine } from '../admission/waiting-line.ts';
import { sharedBreakerBytes } from '../resilience/shared-breaker.ts';
import type { RateLimitSettings } from './compile-rate-limits.ts';
import { RouteCounts } from './route-counts.ts';

/** The memory of one policy's limits; null where there is no limit or it is not shared. */
export interface PolicyMemory {
  /** In the order of the policy's rules. */
  readonly rules: readonly (SharedArrayBuffer | null)[];
  readonly admission: SharedArrayBuffer | null;
  /** Of the algorithm that finds the concurrency limit. */
  readonly limit: SharedArrayBuffer | null;
  readonly breaker: SharedArrayBuffer | null;
  /** What a route counts. */
  readonly counts: SharedArrayBuffer | null;
  /** By name; of what they have for themselves. */
  readonly routes: ReadonlyMap<string, PolicyMemory>;
}

export interface Sharing {
  readonly seat: Seat;
  readonly part: 'nothing' | 'inbound' | 'outbound';
  /** Secret, the same in all threads: of the hashes under which keys stand in shared memory. */
  readonly keySeeds: readonly [number, number];
  /** What the own app wants; null for a target. */
  readonly delivery: DeliveryCredit | null;
}

export const notShared: Sharing = { seat: alone, part: 'nothing', keySeeds: [0, 0], delivery: null };

/** The buckets of a rule, and behind them the line of those who wait at it. */
export function memoryForRule({ part, seat }: Sharing, settings: RateLimitSettings): SharedArrayBuffer | null {
  if (part !== 'inbound') return null;
  const line = settings.waitingMax > 0 ? WaitingLine.bytesFor(seat.count) : 0;
  return new SharedArrayBuffer(limiterBytes(settings) + line);
}

export function limiterBytes({ key, meter, fleet, keysMax }: RateLimitSettings): number {
  if (fleet !== null) return FleetRateLimiter.bytesFor(fleet);
  return key.kind === 'none' ? SingleRateLimiter.bytesFor(meter) : SharedKeyedRateLimiter.bytesFor(meter, keysMax);
}

export function memoryForAdmission({ part, seat }: Sharing): SharedArrayBuffer | null {
  return part === 'inbound' ? new SharedArrayBuffer(Admission.bytesFor(seat.count)) : null;
}

export function memoryForLimit({ part }: Sharing): SharedArrayBuffer | null {
  return part === 'inbound' ? new SharedArrayBuffer(8 * algorithmCells) : null;
}

export function memoryForRouteCounts({ part, seat }: Sharing): SharedArrayBuffer | null {
  return part === 'nothing' ? null : new SharedArrayBuffer(RouteCounts.bytesFor(seat.count));
}

export function memoryForBreaker({ part }: Sharing): SharedArrayBuffer | null {
  return part === 'outbound' ? new SharedArrayBuffer(sharedBreakerBytes) : null;
}
