/**
 * The path of requests, all of it that runs in one thread:
 *
 *   callers ──▶ inbound listener ──▶ InboundSide  ─┐                ┌─▶ the app
 *                                                  ├─▶ UpstreamPool ┤
 *   the app ──▶ outbound listener ─▶ OutboundSide ─┘                └─▶ endpoints of other services
 *               upstream ports ────▶ OutboundSide (one service each)
 *
 * It knows its policies and endpoints, and neither operators' doors nor a control plane: those are the control side's
 * (control-side.ts), which sees it as a `Plane`.
 */
import type { Log } from '../proto/kernel/log-format.ts';
import type { ListenAddress } from '../proto/kernel/options.ts';
import { XorShift32 } from '../proto/kernel/random.ts';
import { TimerWheel } from '../proto/kernel/timer-wheel.ts';
import type { PolicySpec } from '../proto/policy/schema.ts';
import { SelfShedder } from './admission/self-shedder.ts';
import { type SidecarConfig, serviceNameOf, splitPair } from './config.ts';
import type { ExchangeContext } from './exchange/context.ts';
import { Gate } from './exchange/gate.ts';
import { Protocol } from './exchange/http-stream.ts';
import { InboundSide } from './exchange/inbound.ts';
import { MeshToken } from './exchange/mesh-token.ts';
import { OutboundSide } from './exchange/outbound.ts';
import { type Target, Targets } from './exchange/targets.ts';
import { TrafficStats } from './exchange/traffic-stats.ts';
import { type FlowReading, readFlow, type StreamView, viewStreams } from './http2/flow-view.ts';
import { type ConnectionLimits, parseLimits } from './http2/limits.ts';
import { BreakerLog } from './io/breaker-log.ts';
import { clock } from './io/clock.ts';
import { flowBudget, startFlowBudget } from './io/flow-budget.ts';
import { heapShare } from './io/heap.ts';
import { LimitLog, limitTrips } from './io/limit-trips.ts';
import { type Entrance, Listener } from './io/listener.ts';
import type { OverloadReading, Plane } from './io/plane.ts';
import { RequestLog } from './io/request-log.ts';
import { Timers } from './io/timers.ts';
import { openTls, type ProxyTls } from './io/tls/tls-setup.ts';
import type { TlsReading } from './io/tls/tls-stats.ts';
import type { EndpointView } from './io/upstream/endpoint-connections.ts';
import { HealthChecks } from './io/upstream/health-checks.ts';
import { UpstreamPool } from './io/upstream/pool.ts';
import { LivePolicy, type PolicyOrigin } from './policy/swap.ts';
import { AuthorityMap } from './routing/authority.ts';
import { Cluster } from './routing/cluster.ts';

export interface DataPlaneOptions {
  readonly config: SidecarConfig;
  readonly meshToken: string | undefined;
  readonly seed: number;
  readonly filePolicies: ReadonlyMap<string, PolicySpec>;
  readonly log: Log;
}

/** Where the data plane listens, as the first log line says it. */
export interface ListeningAddresses {
  inbound?: string;
  outbound?: string;
  upstreams?: Readonly<Record<string, string>>;
}

export class DataPlane implements Plane {
  readonly policy: LivePolicy;
  readonly inboundTraffic: TrafficStats;
  readonly unrouted = new TrafficStats('outbound', 'unknown');
  readonly targets: Targets;
  onBreakerTransition: ((target: string) => void) | null = null;

  private readonly options: DataPlaneOptions;
  private readonly random: XorShift32;
  private readonly wheel = new TimerWheel(4, clock.nowMs);
  private readonly timers: Timers;
  private readonly limits: ConnectionLimits;
  private readonly pool: UpstreamPool;
  private readonly limitLog: LimitLog;
  private readonly shedder: SelfShedder;
  private readonly gate: Gate;
  private readonly requestLog: RequestLog;
  private readonly breakerLog: BreakerLog;
  private readonly context: ExchangeContext;
  private readonly listeners: Listener[] = [];
  private readonly healthChecks: HealthChecks;
  private inbound: Listener | null = null;
  private tls: ProxyTls | null = null;

  constructor(options: DataPlaneOptions) {
    const { config, log } = options;
    this.options = options;
    this.limits = parseLimits(config.limit).limits;
    startFlowBudget(config.bufferMax ?? 0);
    this.limitLog = new LimitLog(log);
    this.shedder = new SelfShedder({ lagMsMax: config.shedLag, heapShareMax: config.shedHeapPercent / 100 });
    this.gate = new Gate(this.shedder);
    this.random = new XorShift32(options.seed);
    this.pool = new UpstreamPool({
      limits: this.limits,
      random: this.random,
      settings: { connectionsMax: config.upstreamConnectionsMax, idleTimeoutMs: config.upstreamIdleTimeout },
    });
    this.requestLog = new RequestLog(log, this.random, config.accessLogSample);
    this.breakerLog = new BreakerLog(log, (target) => this.onBreakerTransition?.(target));
    this.context = { budget: flowBudget, clock, wheel: this.wheel, upstreams: this.pool, observer: this.requestLog };
    this.policy = new LivePolicy(config.service);
    this.applyFilePolicy(this.policy);
    this.inboundTraffic = new TrafficStats('inbound', config.service);
    this.timers = new Timers(
      this.wheel,
      () => this.policy.inbound.admission,
      (nowMs, lagMs) => this.shedder.sample(nowMs, lagMs, heapShare(), flowBudget.usedShare),
    );
    const explicit = new Map(config.authority.map(splitPair));
    const authorities = new AuthorityMap({ namespace: serviceNameOf(config).namespace, explicit });
    this.targets = new Targets(authorities, (key) => this.createTarget(key));
    this.healthChecks = new HealthChecks({
      targets: this.targets,
      pool: this.pool,
      random: this.random,
      meshToken: this.meshToken(false),
      log,
    });
  }

  async listen(): Promise<ListeningAddresses> {
    const { config, log } = this.options;
    const addresses: ListeningAddresses = {};
    this.tls = await openTls(config, log);
    this.pool.useTls(this.tls.upstream);
    if (config.app !== undefined) {
      const { acceptor, stats } = this.tls;
      const entrance = { tls: acceptor, proxyProtocol: config.proxyProtocol, stats };
      this.inbound = this.createListener(this.inboundSide(config.app), entrance);
      addresses.inbound = await this.inbound.listen(config.inbound);
    }
    addresses.outbound = await this.createListener(this.outboundSide(null)).listen(config.outbound);
    const upstreams: Record<string, string> = {};
    for (const [port, service] of config.upstream.map(splitPair)) {
      const address: ListenAddress = { host: '127.0.0.1', port: Number(port) };
      upstreams[service] = await this.createListener(this.outboundSide(service)).listen(address);
    }
    addresses.upstreams = upstreams;
    this.healthChecks.start();
    return addresses;
  }

  /** No new work from callers; what is in flight goes on. */
  drain(): void {
    this.inbound?.drain();
  }

  /** Callers' connections that still hear their GOAWAYs, or have streams. */
  get drainingConnections(): number {
    return this.inbound?.http2ConnectionCount ?? 0;
  }

  async close(): Promise<void> {
    this.healthChecks.close();
    await Promise.all(this.listeners.map((listener) => listener.close()));
    this.pool.close();
    this.tls?.close();
    this.timers.close();
    this.requestLog.close();
    this.limitLog.close();
  }

  /** Throws when the spec cannot be compiled; then nothing has changed. */
  applyPolicy(target: string, spec: PolicySpec | null, origin: PolicyOrigin, nowMs: number): void {
    if (target === this.policy.target) this.policy.apply(spec, origin, nowMs);
    this.targets.get(target)?.policy.apply(spec, origin, nowMs);
  }

  get connections(): number {
    return this.listeners.reduce((sum, listener) => sum + listener.connectionCount, 0);
  }

  get streams(): number {
    return this.listeners.reduce((sum, listener) => sum + listener.streamCount, 0);
  }

  get bufferedBytes(): number {
    return this.listeners.reduce((sum, listener) => sum + listener.bufferedBytes, this.pool.bufferedBytes);
  }

  get upstreamConnections(): readonly EndpointView[] {
    return this.pool.view();
  }

  get loopLagMs(): number {
    return this.timers.lagMs;
  }

  get transitions(): ReadonlyMap<string, number> {
    return this.breakerLog.transitions;
  }

  get overload(): OverloadReading {
    return { shedShare: this.shedder.share, cause: this.shedder.cause, heapShare: heapShare() };
  }

  get limitTrips(): Float64Array {
    return limitTrips.counts;
  }

  get flow(): FlowReading {
    return readFlow(flowBudget);
  }

  streamViews(): StreamView[] {
    return viewStreams(flowBudget);
  }

  tlsReading(): TlsReading | null {
    return this.tls?.reading() ?? null;
  }

  private inboundSide(appAddress: string): InboundSide {
    return new InboundSide({
      clock,
      policy: this.policy,
      gate: this.gate,
      traffic: this.inboundTraffic,
      appAddress,
      appProtocol: protocolChoice(this.options.config.appProtocol),
      meshToken: this.meshToken(true),
    });
  }

  private outboundSide(fixedTarget: string | null): OutboundSide {
    return new OutboundSide({
      clock,
      gate: this.gate,
      targets: this.targets,
      unrouted: this.unrouted,
      fixedTarget,
      upstreamProtocol: protocolChoice('auto'),
      meshToken: this.meshToken(false),
    });
  }

  private meshToken(isRequired: boolean): MeshToken | null {
    const { meshToken } = this.options;
    return meshToken === undefined ? null : new MeshToken(meshToken, isRequired);
  }

  private createListener(side: InboundSide | OutboundSide, entrance: Entrance | null = null): Listener {
    const listener = new Listener(this.context, side, this.limits, entrance, () => this.timers.wake());
    this.listeners.push(listener);
    return listener;
  }

  private createTarget(key: string): Target {
    const policy = new LivePolicy(key, this.breakerLog.of(key));
    this.applyFilePolicy(policy);
    const fixed = this.options.config.endpoint.map(splitPair).filter(([service]) => service === key);
    return {
      key,
      policy,
      cluster: new Cluster({
        key,
        random: this.random,
        staticEndpoints: fixed.map(([, address]) => address),
        overTls: this.options.config.upstreamTls,
      }),
      traffic: new TrafficStats('outbound', key),
      onFailure: null,
    };
  }

  private applyFilePolicy(policy: LivePolicy): void {
    const spec = this.options.filePolicies.get(policy.target);
    if (spec !== undefined) policy.apply(spec, filePolicyOrigin, clock.nowMs);
  }
}

const filePolicyOrigin: PolicyOrigin = { epoch: '', version: 0, hash: 'file' };

function protocolChoice(setting: 'auto' | 'http2' | 'http1'): (callers: number) => number {
  if (setting === 'auto') return (callers) => callers;
  return setting === 'http2' ? () => Protocol.http2 : () => Protocol.http1;
}
