/** A breaker with a clock that is moved by hand and a diary of its transitions. */
import {
  Breaker,
  type BreakerSettings,
  breakerStateName,
  type FleetVerdictInput,
} from '../../../sidecar/resilience/breaker.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';

export const settings: BreakerSettings = {
  consecutiveFailures: 5,
  failureRatio: { percent: 50, minRequests: 20, windowMs: 2000, windowRequests: 0 },
  slowCalls: null,
  openForMs: 1000,
  openForMaxMs: 4000,
  probes: 3,
  probeTimeoutMs: 10_000,
};

export interface Call {
  readonly probe: boolean;
  readonly generation: number;
  readonly watched: number;
}

export class BreakerRig {
  nowMs = 100_000;
  readonly diary: string[] = [];
  readonly breaker: Breaker;

  constructor(overrides: Partial<BreakerSettings> = {}) {
    this.breaker = new Breaker({ ...settings, ...overrides }, ({ from, to, cause }) => {
      this.diary.push(`${breakerStateName(from)} → ${breakerStateName(to)}: ${cause}`);
    });
  }

  wait(ms: number): void {
    this.nowMs += ms;
  }

  /** The call, or the ms it was told to wait. */
  acquire(): Call | number {
    const waitMs = this.breaker.tryAcquire(this.nowMs);
    if (waitMs > 0) return waitMs;
    const { lastAcquireWasProbe: probe, generation } = this.breaker;
    return { probe, generation, watched: this.breaker.watch(this.nowMs) };
  }

  /** A call that must be let through. */
  begin(): Call {
    const call = this.acquire();
    if (typeof call === 'number') throw new Error(`refused for ${call} ms`);
    return call;
  }

  end(call: Call, outcome: number, latencyMs = 10): void {
    this.breaker.record(outcome, latencyMs, call.probe, call.generation, this.nowMs, call.watched);
  }

  fail(count = 1): void {
    for (let i = 0; i < count; i++) this.end(this.begin(), Outcome.failure);
  }

  succeed(count = 1, latencyMs = 10): void {
    for (let i = 0; i < count; i++) this.end(this.begin(), Outcome.success, latencyMs);
  }

  fleet(state: string, generation: number, more: Partial<FleetVerdictInput> = {}): void {
    this.breaker.applyFleet(
      { state, generation, epoch: 'a', ttlMs: 1500, allow: 0, evidence: '', ...more },
      this.nowMs,
    );
  }
}
