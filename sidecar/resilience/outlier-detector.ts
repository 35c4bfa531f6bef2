/**
 * Outlier detection (Envoy's, gRPC's A50): endpoints that fare worse than the others are left out for a while. Failures
 * in a row eject at once; once an interval all endpoints are compared, the worst first.
 *
 * The cap is checked for the state after the ejection, so 30 % of three endpoints is none of them (Envoy lets one go
 * whatever the percentage, and ejected 3 of 3 at 67 %), and one endpoint always stays. When endpoints go away, those
 * that were ejected longest come back until the cap holds again.
 *
 * There is no timer: whoever picks an endpoint calls tick() first, which costs a comparison until something is due. What
 * is known lives in each thread by itself, since it is about what a thread's own requests met.
 */
import { type Ejection, EjectionCause, ejectionCauses } from './ejection.ts';
import { Outcome } from './outcome.ts';
import type { OutlierSettings } from './outlier-settings.ts';

export class OutlierDetector {
  /** Ejections since the start, by cause. */
  readonly ejections = new Float64Array(ejectionCauses.length);
  /** Those that the cap did not allow. */
  capped = 0;
  ejected = 0;
  private settings: OutlierSettings;
  private hosts: readonly Ejection[] = [];
  private intervalEndsMs = 0;
  /** When tick() has something to do. */
  private dueMs = Number.NEGATIVE_INFINITY;

  constructor(settings: OutlierSettings) {
    this.settings = settings;
  }

  reconfigure(settings: OutlierSettings): void {
    this.settings = settings;
    this.dueMs = Number.NEGATIVE_INFINITY;
    this.keepCap();
  }

  get isShadow(): boolean {
    return this.settings.shadow;
  }

  /** Those that take requests but for ejection: neither draining nor unhealthy. */
  setHosts(hosts: readonly Ejection[]): void {
    for (const host of this.hosts) host.isHost = false;
    for (const host of hosts) host.isHost = true;
    this.hosts = hosts;
    this.ejected = hosts.reduce((sum, host) => sum + Number(host.isEjected), 0);
    this.keepCap();
  }

  /** A request's end. True when the host was ejected with it. */
  record(host: Ejection, outcome: number, latencyMs: number, nowMs: number): boolean {
    // The answer of one that is gone, or unhealthy, says nothing about who is to take requests.
    if (outcome === Outcome.ignored || host.isEjected || !host.isHost) return false;
    host.count(outcome === Outcome.failure, latencyMs);
    const { consecutiveFailures } = this.settings;
    if (consecutiveFailures === 0 || host.failuresInRow < consecutiveFailures) return false;
    if (this.eject(host, EjectionCause.consecutiveFailures, nowMs)) return true;
    // Where the cap does not allow it, it takes as many failures again to ask again.
    host.failuresInRow = 0;
    return false;
  }

  /** True when somebody was ejected or came back. */
  tick(nowMs: number): boolean {
    return nowMs < this.dueMs ? false : this.sweep(nowMs);
  }

  private sweep(nowMs: number): boolean {
    let changed = false;
    if (this.intervalEndsMs === 0) this.intervalEndsMs = nowMs + this.settings.intervalMs;
    else if (nowMs >= this.intervalEndsMs) {
      if (this.compareSuccess(nowMs)) changed = true;
      if (this.compareLatency(nowMs)) changed = true;
      for (const host of this.hosts) host.endInterval();
      this.intervalEndsMs = nowMs + this.settings.intervalMs;
    }
    for (const host of this.hosts) {
      if (!host.isEjected || host.untilMs > nowMs) continue;
      host.comeBack();
      this.ejected--;
      changed = true;
    }
    this.dueMs = this.intervalEndsMs;
    for (const host of this.hosts) if (host.isEjected) this.dueMs = Math.min(this.dueMs, host.untilMs);
    return changed;
  }

  private compareSuccess(nowMs: number): boolean {
    const { successRate } = this.settings;
    if (successRate === null) return false;
    const known = this.hosts.filter((host) => !host.isEjected && host.requests >= successRate.minRequests);
    if (known.length < successRate.minHosts) return false;
    const mean = known.reduce((sum, host) => sum + shareOfSuccess(host), 0) / known.length;
    const variance = known.reduce((sum, host) => sum + (shareOfSuccess(host) - mean) ** 2, 0) / known.length;
    const least = mean - successRate.stdevFactor * Math.sqrt(variance);
    const outliers = known.filter((host) => shareOfSuccess(host) < least);
    outliers.sort((a, b) => shareOfSuccess(a) - shareOfSuccess(b));
    return this.ejectAll(outliers, EjectionCause.successRate, nowMs);
  }

  private compareLatency(nowMs: number): boolean {
    const { latency } = this.settings;
    if (latency === null) return false;
    const known = this.hosts.filter((host) => !host.isEjected && host.requests >= latency.minRequests);
    if (known.length < latency.minHosts) return false;
    known.sort((a, b) => meanLatency(b) - meanLatency(a));
    // The middle one, of an even number the faster: of two endpoints one can still be an outlier.
    const most = meanLatency(known[known.length >> 1]!) * latency.factor;
    const outliers = known.filter((host) => meanLatency(host) > most);
    return this.ejectAll(outliers, EjectionCause.latency, nowMs);
  }

  private ejectAll(outliers: readonly Ejection[], cause: number, nowMs: number): boolean {
    let changed = false;
    for (const host of outliers) if (this.eject(host, cause, nowMs)) changed = true;
    return changed;
  }

  private eject(host: Ejection, cause: number, nowMs: number): boolean {
    if (!this.allows(this.ejected + 1)) {
      this.capped++;
      return false;
    }
    host.eject(cause, this.settings, nowMs);
    this.ejected++;
    this.ejections[cause]! += 1;
    this.dueMs = Math.min(this.dueMs, host.untilMs);
    return true;
  }

  private allows(ejected: number): boolean {
    const count = this.hosts.length;
    return ejected * 100 <= count * this.settings.maxEjectedPercent && ejected < count;
  }

  private keepCap(): void {
    while (this.ejected > 0 && !this.allows(this.ejected)) {
      let first: Ejection | null = null;
      for (const host of this.hosts)
        if (host.isEjected && (first === null || host.untilMs < first.untilMs)) first = host;
      if (first === null) return;
      first.comeBack();
      this.ejected--;
    }
  }
}

function shareOfSuccess({ requests, failures }: Ejection): number {
  return 1 - failures / requests;
}

function meanLatency({ requests, latencySumMs }: Ejection): number {
  return latencySumMs / requests;
}
