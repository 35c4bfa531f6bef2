/**
 * One breaker for several threads: each thread has this object, and all have the same numbers in shared memory. Before it
 * decides, a thread takes over what others changed; after it, it writes down what it changed, all under the memory's
 * lock. So whatever one thread sees open is open in all of them with their next request, and half-open lets N probes out,
 * not N per thread. The deciding itself is Breaker's, which does not know.
 *
 *   lock · version │ everything Breaker.freeze() writes
 */
import { lockBytes, lockOf, type SharedLock } from '../../proto/kernel/shared-lock.ts';
import { Breaker, type BreakerSettings, type BreakerTransition, frozenNumbers } from './breaker.ts';
import { BreakerState } from './breaker-state.ts';
import type { TokenReading } from './fleet-tokens.ts';
import type { FleetVerdictInput } from './fleet-verdict.ts';

const headerBytes = lockBytes + 8;
export const sharedBreakerBytes = headerBytes + 8 * frozenNumbers;

export class SharedBreaker extends Breaker {
  private readonly lock: SharedLock | null;
  private readonly version: Float64Array;
  private readonly cells: Float64Array;
  private readonly tell: ((transition: BreakerTransition) => void) | undefined;
  /** Told only after the lock is free: who is told may write logs. */
  private readonly untold: BreakerTransition[];
  private versionKnown = 0;
  private depth = 0;

  /** `memory` zeroed: the breaker is new; else it is the one that stands there. `owner` is another for each thread. */
  constructor(
    settings: BreakerSettings,
    onTransition: ((transition: BreakerTransition) => void) | undefined,
    memory: ArrayBufferLike,
    owner: number,
  ) {
    const untold: BreakerTransition[] = [];
    super(settings, (transition) => untold.push(transition));
    this.untold = untold;
    this.tell = onTransition;
    this.lock = lockOf(memory, owner);
    this.version = new Float64Array(memory, lockBytes, 1);
    this.cells = new Float64Array(memory, headerBytes, frozenNumbers);
    this.enter();
    this.exit(this.version[0] === 0);
  }

  override tryAcquire(nowMs: number): number {
    this.enter();
    const { state } = this;
    const { lateTotal } = this.conditions;
    const isPlain = state === BreakerState.closed && this.fleetState === BreakerState.closed;
    try {
      return super.tryAcquire(nowMs);
    } finally {
      // A closed breaker that let a request pass has changed nothing, but for calls that it found to be late.
      this.exit(!isPlain || this.conditions.lateTotal > lateTotal || this.untold.length > 0);
    }
  }

  override record(
    outcome: number,
    latencyMs: number,
    probe: boolean,
    generation: number,
    nowMs: number,
    watched?: number,
  ): void {
    this.enter();
    try {
      super.record(outcome, latencyMs, probe, generation, nowMs, watched);
    } finally {
      this.exit(true);
    }
  }

  override tick(nowMs: number): void {
    this.enter();
    try {
      super.tick(nowMs);
    } finally {
      this.exit(true);
    }
  }

  override applyFleet(verdict: FleetVerdictInput | null, nowMs: number): void {
    this.enter();
    try {
      super.applyFleet(verdict, nowMs);
    } finally {
      this.exit(true);
    }
  }

  override grant(round: number, tokens: number, untilMs: number): boolean {
    this.enter();
    try {
      return super.grant(round, tokens, untilMs);
    } finally {
      this.exit(true);
    }
  }

  override readTokens(into: TokenReading, nowMs: number): void {
    this.enter();
    super.readTokens(into, nowMs);
    this.exit(false);
  }

  override reconfigure(settings: BreakerSettings, nowMs: number): void {
    this.enter();
    try {
      super.reconfigure(settings, nowMs);
    } finally {
      this.exit(true);
    }
  }

  private enter(): void {
    if (this.depth++ > 0) return;
    if (this.lock !== null) this.lock.acquire();
    const version = this.version[0]!;
    if (version === this.versionKnown) return;
    this.thaw(this.cells);
    this.versionKnown = version;
  }

  private exit(changed: boolean): void {
    if (--this.depth > 0) return;
    if (changed) {
      this.freeze(this.cells);
      this.version[0]! += 1;
      this.versionKnown = this.version[0]!;
    }
    if (this.lock !== null) this.lock.release();
    // Taken out also where nobody listens.
    for (let next = this.untold.shift(); next !== undefined; next = this.untold.shift()) this.tell?.(next);
  }
}
