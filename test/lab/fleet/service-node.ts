/**
 * The service that a simulated fleet calls: well, failing at once, or hanging, by a plan; or with a capacity that grows
 * after a restart. It notes every request that reaches it.
 */
export type ServiceMode = 'well' | 'failing' | 'hanging';

export interface ServicePlan {
  readonly changes: readonly { readonly atMs: number; readonly mode: ServiceMode }[];
  readonly latencyMs: number;
  /** Requests a second that it can answer; without it as many as come. */
  readonly capacityAt?: (nowMs: number) => number;
}

export interface Arrival {
  readonly atMs: number;
  /** A request for which the fleet, or a local breaker, gave leave to probe. */
  readonly isProbe: boolean;
  /** The caller obeyed a fleet verdict that shuts. */
  readonly underVerdict: boolean;
}

export class ServiceNode {
  readonly plan: ServicePlan;
  readonly arrivals: Arrival[] = [];
  requests = 0;
  answered = 0;
  failures = 0;
  private busyUntilMs = 0;

  constructor(plan: ServicePlan) {
    this.plan = plan;
  }

  modeAt(nowMs: number): ServiceMode {
    let mode: ServiceMode = 'well';
    for (const change of this.plan.changes) if (change.atMs <= nowMs) mode = change.mode;
    return mode;
  }

  /** When and how it answers; Infinity = never. */
  take(arrival: Arrival, note: boolean): { readonly answerAtMs: number; readonly ok: boolean } {
    if (note) this.arrivals.push(arrival);
    const { atMs } = arrival;
    const { latencyMs, capacityAt } = this.plan;
    const mode = this.modeAt(atMs);
    this.requests++;
    if (mode === 'failing') this.failures++;
    else if (mode === 'well') this.answered++;
    if (mode === 'hanging') return { answerAtMs: Number.POSITIVE_INFINITY, ok: false };
    if (mode === 'failing') return { answerAtMs: atMs + 1, ok: false };
    if (capacityAt === undefined) return { answerAtMs: atMs + latencyMs, ok: true };
    // It works on everything that came, whether or not anybody still waits for it.
    const beginMs = Math.max(atMs, this.busyUntilMs);
    this.busyUntilMs = beginMs + 1000 / capacityAt(beginMs);
    return { answerAtMs: this.busyUntilMs + latencyMs, ok: true };
  }

  /** A restart forgets what waited. */
  restart(nowMs: number): void {
    this.busyUntilMs = nowMs;
  }
}
