/**
 * Asks the endpoints of every target whose policy wants it, each in its own time, and tells the target's cluster when
 * one changes its state. Policies and endpoints come and go; what is asked now is read from them at every round.
 */
import type { Log } from '../../../proto/kernel/log-format.ts';
import type { Random } from '../../../proto/kernel/random.ts';
import type { MeshToken } from '../../exchange/mesh-token.ts';
import type { Target, Targets } from '../../exchange/targets.ts';
import { Health, type HealthCheckSettings } from '../../resilience/health.ts';
import type { Judgement } from '../../resilience/health-verdict.ts';
import type { Endpoint } from '../../routing/endpoint.ts';
import { clock, tick } from '../clock.ts';
import { HealthCheck } from './health-check.ts';
import type { UpstreamPool } from './pool.ts';

/** Under way at a time; the rest waits for the next round. */
const checksAtOnceMax = 256;
const roundMs = 50;
/** While no policy asks for checks. */
const idleRoundMs = 500;

export interface HealthChecksOptions {
  readonly targets: Targets;
  readonly pool: UpstreamPool;
  readonly random: Random;
  readonly meshToken: MeshToken | null;
  readonly log: Log;
}

export class HealthChecks {
  private readonly options: HealthChecksOptions;
  private readonly underWay = new Set<HealthCheck>();
  private readonly checked = new Set<Target>();
  private timer: NodeJS.Timeout | null = null;

  constructor(options: HealthChecksOptions) {
    this.options = options;
  }

  start(): void {
    this.roundIn(idleRoundMs);
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    for (const check of this.underWay) check.abort();
    this.underWay.clear();
  }

  private roundIn(ms: number): void {
    this.timer = setTimeout(() => {
      this.round(tick());
      this.roundIn(this.checked.size > 0 ? roundMs : idleRoundMs);
    }, ms);
    this.timer.unref();
  }

  private round(nowMs: number): void {
    for (const target of this.options.targets.values()) {
      const settings = target.policy.outbound.healthCheck;
      if (settings === null) this.forget(target);
      else this.checkDue(target, settings, nowMs);
    }
  }

  private checkDue(target: Target, settings: HealthCheckSettings, nowMs: number): void {
    this.checked.add(target);
    for (const endpoint of target.cluster.endpoints) {
      endpoint.health ??= new Health(settings, nowMs, this.options.random);
      if (endpoint.health.isDue(nowMs) && this.underWay.size < checksAtOnceMax) {
        this.check(target, endpoint, endpoint.health, settings);
      }
    }
  }

  private check(target: Target, endpoint: Endpoint, health: Health, settings: HealthCheckSettings): void {
    const { pool, meshToken } = this.options;
    health.begin();
    const check = new HealthCheck({
      address: endpoint.dialAddress,
      authority: endpoint.address,
      settings,
      pool,
      meshToken,
      onEnd: (judgement) => {
        this.underWay.delete(check);
        this.record(target, endpoint, health, judgement, settings);
      },
    });
    this.underWay.add(check);
    check.begin();
  }

  private record(
    target: Target,
    endpoint: Endpoint,
    health: Health,
    { verdict, detail }: Judgement,
    settings: HealthCheckSettings,
  ): void {
    const changed = health.record(verdict, detail, settings, clock.nowMs, this.options.random);
    if (!changed || endpoint.health !== health) return;
    target.cluster.onHealthChanged(clock.nowMs);
    const fields = { target: target.key, endpoint: endpoint.address, detail };
    if (health.isHealthy) this.options.log.info('endpoint healthy', fields);
    else this.options.log.warn('endpoint unhealthy', fields);
  }

  /** The policy asks for no checks any more: what they found is forgotten. */
  private forget(target: Target): void {
    if (!this.checked.delete(target)) return;
    for (const endpoint of target.cluster.endpoints) endpoint.health = null;
    target.cluster.onHealthChanged(clock.nowMs);
  }
}
