/**
 * Whether the own app is ready, asked over a connection of its own: `/readyz` says so to Kubernetes, which then needs no
 * way around the sidecar. Until the app has answered well once, it is not ready.
 */
import type { Log } from '../../../proto/kernel/log-format.ts';
import type { Random } from '../../../proto/kernel/random.ts';
import { Health, type HealthCheckSettings, type HealthProbe } from '../../resilience/health.ts';
import type { Judgement } from '../../resilience/health-verdict.ts';
import { clock } from '../clock.ts';
import { HealthCheck } from './health-check.ts';
import { UpstreamPool } from './pool.ts';

export interface AppHealthOptions {
  readonly address: string;
  readonly probe: HealthProbe;
  readonly random: Random;
  readonly log: Log;
}

const timing = { intervalMs: 1000, timeoutMs: 1000, unhealthyAfter: 3, healthyAfter: 1 };
/** From one check to the next until the app has answered well. */
const firstIntervalMs = 100;

export class AppHealth {
  private readonly options: AppHealthOptions;
  private readonly settings: HealthCheckSettings;
  private readonly pool: UpstreamPool;
  private readonly health: Health;
  private check: HealthCheck | null = null;
  private timer: NodeJS.Timeout | null = null;
  private hasAnswered = false;

  constructor(options: AppHealthOptions) {
    this.options = options;
    this.settings = { probe: options.probe, ...timing };
    this.pool = new UpstreamPool({ random: options.random, settings: { connectionsMax: 1 } });
    this.health = new Health(this.settings, clock.nowMs, options.random);
  }

  start(): void {
    this.ask();
  }

  /** '' when it is ready. */
  get notReadyBecause(): string {
    if (this.hasAnswered && this.health.isHealthy) return '';
    return `the app is not healthy: ${this.health.detail || 'it has not answered yet'}`;
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.check?.abort();
    this.pool.close();
  }

  private ask(): void {
    const { address } = this.options;
    const { settings, pool } = this;
    this.check = new HealthCheck({
      address,
      authority: address,
      settings,
      pool,
      meshToken: null,
      onEnd: (judgement) => this.record(judgement),
    });
    this.check.begin();
  }

  private record({ verdict, detail }: Judgement): void {
    const { random, log } = this.options;
    const changed = this.health.record(verdict, detail, this.settings, clock.nowMs, random);
    if (changed && this.health.isHealthy) log.info('app healthy');
    else if (changed) log.warn('app unhealthy', { detail });
    if (verdict === 'healthy') this.hasAnswered = true;
    this.timer = setTimeout(() => this.ask(), this.hasAnswered ? timing.intervalMs : firstIntervalMs);
    this.timer.unref();
  }
}

/** `grpc`, `grpc:<service>` or `http:<path>`; an HTTP check is in HTTP/1.1 unless the app speaks nothing but HTTP/2. */
export function parseAppHealth(text: string, appProtocol: string): HealthProbe {
  if (text.startsWith('grpc')) return { kind: 'grpc', service: text.slice('grpc:'.length) };
  const protocol = appProtocol === 'http2' ? 'http2' : 'http1';
  return { kind: 'http', path: text.slice('http:'.length), statuses: [], protocol };
}
