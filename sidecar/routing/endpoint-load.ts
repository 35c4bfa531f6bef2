/**
 * What an endpoint last said about its load, and the weight that follows from it as in gRPC's weighted round robin (A58):
 *
 *   weight = qps / (utilization + eps / qps · penalty)
 *
 * which is how many requests it could answer with all of itself, failures counting as extra load. A weight is used only
 * after reports came for a while (blackout: a starting server has nothing to do yet), and not when they stopped (expiry).
 */
import type { OrcaReport } from './orca.ts';

export interface WeightSettings {
  readonly blackoutMs: number;
  readonly expiryMs: number;
  readonly errorPenalty: number;
}

export class EndpointLoad {
  /** Of the server, all its callers' requests; -1 = it does not say. */
  inFlight = -1;
  /** When it last said anything; -Infinity = never. */
  reportedMs = Number.NEGATIVE_INFINITY;
  private utilization = 0;
  private qps = 0;
  private eps = 0;
  /** Of the last report that gives a weight. */
  private weighedMs = Number.NEGATIVE_INFINITY;
  /** Since when such reports come without a gap. */
  private sinceMs = Number.POSITIVE_INFINITY;

  record(report: OrcaReport, nowMs: number): void {
    this.reportedMs = nowMs;
    this.inFlight = report.inFlight;
    const utilization = report.applicationUtilization > 0 ? report.applicationUtilization : report.cpuUtilization;
    if (utilization <= 0 || report.qps <= 0) return;
    this.utilization = utilization;
    this.qps = report.qps;
    this.eps = report.eps;
    this.weighedMs = nowMs;
    if (this.sinceMs === Number.POSITIVE_INFINITY) this.sinceMs = nowMs;
  }

  /** 0 = there is none to go by. */
  weight({ blackoutMs, expiryMs, errorPenalty }: WeightSettings, nowMs: number): number {
    if (nowMs - this.weighedMs >= expiryMs) {
      this.sinceMs = Number.POSITIVE_INFINITY;
      return 0;
    }
    if (nowMs - this.sinceMs < blackoutMs) return 0;
    return this.qps / (this.utilization + (this.eps / this.qps) * errorPenalty);
  }

  /** The endpoint comes back after a while. */
  forget(): void {
    this.inFlight = -1;
    this.reportedMs = Number.NEGATIVE_INFINITY;
    this.weighedMs = Number.NEGATIVE_INFINITY;
    this.sinceMs = Number.POSITIVE_INFINITY;
  }
}
