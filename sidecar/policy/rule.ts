/**
 * A rate limit of a policy with its buckets: one for all requests, or one for each key, and who waits at it. One shape for
 * all kinds, so that the hot path sees one kind of object.
 *
 * In memory that threads share, the line of those who wait stands behind the buckets.
 */
import { FleetRateLimiter } from '../admission/fleet-rate-limiter.ts';
import { KeyedRateLimiter } from '../admission/keyed-rate-limiter.ts';
import { type RateLimiter, SingleRateLimiter } from '../admission/rate-limiter.ts';
import { ownerOf, type Seat } from '../admission/seat.ts';
import { SharedKeyedRateLimiter } from '../admission/shared-keyed-rate-limiter.ts';
import { WaitingLine } from '../admission/waiting-line.ts';
import type { RateLimitSettings } from './compile-rate-limits.ts';
import type { RateLimitCost, RateLimitKey, RateLimitRule } from './compiled.ts';
import { quotaOf } from './rate-limit-signals.ts';
import { limiterBytes, notShared, type Sharing } from './sharing.ts';

export class Rule implements RateLimitRule {
  readonly name: string;
  readonly key: RateLimitKey;
  readonly cost: RateLimitCost;
  readonly quota: number;
  readonly settings: RateLimitSettings;
  /** null: the buckets are this thread's own. */
  readonly memory: SharedArrayBuffer | null;
  /** null: not a limit of the fleet. */
  readonly fleet: FleetRateLimiter | null;
  private readonly limiter: RateLimiter;
  /** null: nobody waits here. */
  private readonly line: WaitingLine | null;

  /** `former`: whose share of the fleet's limit this one goes on with. */
  constructor(
    settings: RateLimitSettings,
    memory: SharedArrayBuffer | null = null,
    sharing: Sharing = notShared,
    former: FleetRateLimiter | null = null,
  ) {
    this.name = settings.name;
    this.key = settings.key;
    this.cost = settings.cost;
    this.quota = quotaOf(settings.meter);
    this.settings = settings;
    this.memory = memory;
    const { fleet } = settings;
    const owner = ownerOf(sharing.seat);
    this.fleet = fleet === null ? null : new FleetRateLimiter(fleet, memory ?? former?.memory, owner);
    this.limiter = this.fleet ?? limiterOf(settings, memory, sharing);
    this.line = settings.waitingMax > 0 ? lineOf(settings, memory, sharing.seat) : null;
  }

  tryAcquire(key: string, nowMs: number, cost = 1, patienceMs = Number.POSITIVE_INFINITY): number {
    const { line, limiter } = this;
    if (line === null) return limiter.tryAcquire(key, nowMs, cost, patienceMs);
    const hasPlace = line.tryEnter();
    const answer = limiter.tryAcquire(key, nowMs, cost, hasPlace ? patienceMs : 0);
    if (hasPlace && answer >= 0) line.leave();
    return answer;
  }

  leaveLine(): void {
    this.line?.leave();
  }

  remaining(nowMs: number): number {
    return this.limiter.remaining(nowMs);
  }

  steadyMs(nowMs: number): number {
    return this.limiter.steadyMs(nowMs);
  }

  /** Requests that wait for their turn, in all threads. */
  get waiting(): number {
    return this.line === null ? 0 : this.line.size;
  }

  /** Requests that found no bucket of their own. */
  get overflows(): number {
    return this.limiter.overflows;
  }

  /** The thread at that seat is dead: those who waited there are gone. */
  abandon(seat: number): void {
    this.line?.abandon(seat);
  }
}

function limiterOf(
  { key, meter, keysMax }: RateLimitSettings,
  memory: SharedArrayBuffer | null,
  { seat, keySeeds: seeds }: Sharing,
): RateLimiter {
  const owner = ownerOf(seat);
  if (key.kind === 'none') return new SingleRateLimiter(meter, memory ?? undefined, owner);
  if (memory === null) return new KeyedRateLimiter(meter, keysMax);
  return new SharedKeyedRateLimiter(meter, keysMax, { memory, owner, seeds });
}

function lineOf(settings: RateLimitSettings, memory: SharedArrayBuffer | null, seat: Seat): WaitingLine {
  const { waitingMax } = settings;
  if (memory !== null) return new WaitingLine(waitingMax, seat, memory, limiterBytes(settings));
  return new WaitingLine(waitingMax, seat, new ArrayBuffer(WaitingLine.bytesFor(seat.count)));
}
