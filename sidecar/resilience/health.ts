/**
 * What checks say about an endpoint, as a state: it changes only after several answers in a row that contradict it, so
 * that one lost answer takes nothing out and one lucky answer brings nothing back. An endpoint begins healthy; else a
 * sidecar that just started could send nothing anywhere.
 */
import { jitter, type Random } from '../../proto/kernel/random.ts';

export type HealthProbe =
  /** `service` '' asks for the server as a whole. */
  | { readonly kind: 'grpc'; readonly service: string }
  /** Without statuses every 2xx is healthy. */
  | {
      readonly kind: 'http';
      readonly path: string;
      readonly statuses: readonly number[];
      readonly protocol: 'http1' | 'http2';
    };

export interface HealthCheckSettings {
  readonly probe: HealthProbe;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}

/** `unknown`: it was not asked, or answered something that says nothing about its health, such as a refusal. */
export type Verdict = 'healthy' | 'unhealthy' | 'unknown';

const intervalJitter = 0.1;
/** The first check comes within this, so that a whole list of new endpoints is not asked at the same moment. */
const firstCheckWithinMs = 1000;

export class Health {
  isHealthy = true;
  /** A check is under way. */
  isChecking = false;
  nextCheckMs: number;
  /** The last verdict that was not simply good, in words. */
  detail = '';
  /** Verdicts in a row that contradict the state. */
  private contradictions = 0;

  constructor(settings: HealthCheckSettings, nowMs: number, random: Random) {
    this.nextCheckMs = nowMs + Math.min(firstCheckWithinMs, settings.intervalMs) * random.next();
  }

  isDue(nowMs: number): boolean {
    return !this.isChecking && nowMs >= this.nextCheckMs;
  }

  begin(): void {
    this.isChecking = true;
  }

  /** Ends a check. True when the state changed by it. */
  record(verdict: Verdict, detail: string, settings: HealthCheckSettings, nowMs: number, random: Random): boolean {
    this.isChecking = false;
    this.nextCheckMs = nowMs + jitter(settings.intervalMs, intervalJitter, random);
    this.detail = detail;
    if (verdict === 'unknown') return false;
    if ((verdict === 'healthy') === this.isHealthy) {
      this.contradictions = 0;
      return false;
    }
    this.contradictions++;
    if (this.contradictions < (this.isHealthy ? settings.unhealthyAfter : settings.healthyAfter)) return false;
    this.contradictions = 0;
    this.isHealthy = !this.isHealthy;
    return true;
  }
}
