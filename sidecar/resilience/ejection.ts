/**
 * What outlier detection knows about one endpoint: counts of the present interval, and whether it is ejected. The time of
 * ejection grows with how often it was ejected of late; every interval that it stays in makes that one less.
 */
import type { OutlierSettings } from './outlier-settings.ts';

/** Why an endpoint is ejected: small integers, the index of `ejectionCauses`. */
export const EjectionCause = { consecutiveFailures: 0, successRate: 1, latency: 2 } as const;
export const ejectionCauses = ['consecutive_failures', 'success_rate', 'latency'] as const;

export class Ejection {
  /** Found to be an outlier; in shadow it goes on taking requests. */
  isEjected = false;
  /** One of those that take requests but for ejection. */
  isHost = false;
  untilMs = 0;
  /** Of the last ejection; see ejectionCauses. */
  cause = 0;
  /** How often of late; the next ejection lasts as many times the base. */
  times = 0;
  failuresInRow = 0;
  /** Of this interval. */
  requests = 0;
  failures = 0;
  latencySumMs = 0;

  count(failed: boolean, latencyMs: number): void {
    this.failuresInRow = failed ? this.failuresInRow + 1 : 0;
    this.requests++;
    this.latencySumMs += latencyMs;
    if (failed) this.failures++;
  }

  eject(cause: number, { baseEjectionMs, maxEjectionMs }: OutlierSettings, nowMs: number): void {
    this.isEjected = true;
    this.cause = cause;
    // Beyond the longest time more ejections would change nothing but how long they are remembered.
    if (baseEjectionMs * this.times < maxEjectionMs) this.times++;
    this.untilMs = nowMs + Math.min(baseEjectionMs * this.times, maxEjectionMs);
  }

  /** What was counted before says nothing about how it fares now. */
  comeBack(): void {
    this.isEjected = false;
    this.forget();
  }

  endInterval(): void {
    if (!this.isEjected && this.times > 0) this.times--;
    this.requests = 0;
    this.failures = 0;
    this.latencySumMs = 0;
  }

  private forget(): void {
    this.failuresInRow = 0;
    this.requests = 0;
    this.failures = 0;
    this.latencySumMs = 0;
  }
}
