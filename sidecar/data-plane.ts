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
import type { ListenAddress } from '../proto/kernel/options.ts';
import { XorShift32 } from '../proto/kernel/random.ts';
import { TimerWheel } from '../proto/kernel/timer-wheel.ts';
import type { PolicySpec } from '../proto/policy/schema.ts';
import { DeliveryCredit } from './admission/delivery-credit.ts';
import { alone, ownerOf } from './admission/seat.ts';
import { SelfShedder } from './admission/self-shedder.ts';
import { StreamAllowance } from './admission/stream-allowance.ts';
import { serviceNameOf, splitPair } from './config.ts';
import type { Common, DataPlaneOptions, ListeningAddresses } from './data-plane-options.ts';
import type { ExchangeContext } from './exchange/context.ts';
import { ContextTable } from './exchange/context-table.ts';
import type { DeliveryEnd } from './exchange/delivery.ts';
import { Gate } from './exchange/gate.ts';
import { InboundSide } from './exchange/inbound.ts';
import { MeshToken } from './exchange/mesh-token.ts';
import { OutboundSide } from './exchange/outbound.ts';
import { protocolChoice } from './exchange/protocol-choice.ts';
import { RequestPriority } from './exchange/request-priority.ts';
import { type Target, Targets } from './exchange/targets.ts';
import { type RecordedTraffic, TrafficRecording } from './exchange/traffic-recording.ts';
import { TrafficStats } from './exchange/traffic-stats.ts';
import { Trust } from './exchange/trust.ts';
import { type FlowReading, readFlow, type StreamView, viewStreams } from './http2/flow-view.ts';
import { type ConnectionLimits, parseLimits } from './http2/limits.ts';
import { BreakerLog } from './io/breaker-log.ts';
import { clock, tick } from './io/clock.ts';
import { flowBudget, startFlowBudget } from './io/flow-budget.ts';
import { heapShare } from './io/heap.ts';
import { LimitLog, limitTrips } from './io/limit-trips.ts';
import { type Entrance, Listener, type ListenPlace, type StreamsFor } from './io/listener.ts';
import type { Plane } from './io/plane.ts';
import type { OverloadReading } from './io/plane-readings.ts';
import { type PriorityReading, priorityReading } from './io/priority-metrics.ts';
import { Deliveries, type DeliveryRequest } from './io/queue/deliveries.ts';
import { Recorder } from './io/recorder.ts';
import { accessLimiter, RequestLog } from './io/request-log.ts';
import { type StaleReading, staleReading } from './io/stale-metrics.ts';
import { Timers } from './io/timers.ts';
import { openTls, type ProxyTls } from './io/tls/tls-setup.ts';
import type { TlsReading } from './io/tls/tls-stats.ts';
import type { EndpointView } from './io/upstream/endpoint-connections.ts';
import { type EndpointHealthReading, healthReading } from './io/upstream/endpoint-health.ts';
import { HealthChecks } from './io/upstream/health-checks.ts';
import { UpstreamPool } from './io/upstream/pool.ts';
import type { PoolCounts } from './io/upstream/pool-counts.ts';
import { placesOf } from './places.ts';
import { notShared, type Sharing } from './policy/sharing.ts';
import { LivePolicy, type OnTransition, type PolicyOrigin, type StandingPolicy } from './policy/swap.ts';
import { AuthorityMap } from './routing/authority.ts';
import { Cluster, type EndpointInput } from './routing/cluster.ts';

export class DataPlane implements Plane {
  readonly policy: LivePolicy;
  readonly delivery: DeliveryCredit;
  readonly inboundTraffic: TrafficStats;
  readonly unrouted: TrafficStats;
  readonly targets: Targets;
  readonly workers = [];
  onBreakerTransition: ((target: string) => void) | null = null;

  private readonly options: DataPlaneOptions;
  private readonly common: Common | null;
  /** By target, also of those not in use here: a target that comes into use finds its policy and endpoints. */
  private readonly policies: Map<string, StandingPolicy>;
  private readonly endpoints = new Map<string, readonly EndpointInput[]>();
  private readonly random: XorShift32;
  private readonly wheel = new TimerWheel(4, clock.nowMs);
  private readonly timers: Timers;
  private readonly limits: ConnectionLimits;
  private readonly pool: UpstreamPool;
  private readonly limitLog: LimitLog;
  private readonly shedder: SelfShedder;
  private readonly gate: Gate;
  private readonly priority: RequestPriority;
  private readonly requestLog: RequestLog;
  private readonly breakerLog: BreakerLog;
  private readonly recording: TrafficRecording;
  private readonly context: ExchangeContext;
  private readonly listeners: Listener[] = [];
  private readonly healthChecks: HealthChecks;
  private inbound: Listener | null = null;
  private proxyTls: ProxyTls | null = null;
  private deliveries: Deliveries | null = null;

  constructor(options: DataPlaneOptions) {
    const { config, log, common } = options;
    this.options = options;
    this.common = common;
    this.policies = new Map(options.policies);
    this.limits = parseLimits(config.limit).limits;
    startFlowBudget(config.bufferMax ?? 0, common?.seat.count);
    this.limitLog = new LimitLog(log);
    this.shedder = new SelfShedder({ lagMsMax: config.shedLag, heapShareMax: config.shedHeapPercent / 100 });
    this.gate = new Gate(this.shedder);
    this.random = new XorShift32(options.seed);
    this.priority = new RequestPriority({
      table: new ContextTable(common?.keySeeds[0] ?? options.seed, common?.contexts, ownerOf(common?.seat ?? alone)),
      random: this.random,
      wallOriginMs: Date.now() - clock.nowMs,
    });
    this.pool = new UpstreamPool({
      limits: this.limits,
      random: this.random,
      settings: {
        connectionsMax: this.shareOf(config.upstreamConnectionsMax),
        idleTimeoutMs: config.upstreamIdleTimeout,
      },
    });
    const lines = common === null ? accessLimiter() : accessLimiter(common.accessLines, ownerOf(common.seat));
    this.requestLog = new RequestLog(log, this.random, config.accessLogSample, lines);
    this.breakerLog = new BreakerLog(log, (target) => this.onBreakerTransition?.(target));
    this.recording = new TrafficRecording(Math.max(1, Math.floor(config.recordRequests / (common?.seat.count ?? 1))));
    this.context = {
      budget: flowBudget,
      clock,
      wheel: this.wheel,
      upstreams: this.pool,
      observer: config.recordRequests === 0 ? this.requestLog : new Recorder(this.recording, this.requestLog),
      random: this.random,
    };
    this.delivery = new DeliveryCredit(common?.delivery);
    this.policy = new LivePolicy(config.service, undefined, this.sharing('inbound'));
    const own = this.policies.get(config.service);
    if (own !== undefined) this.policy.apply(own.spec, own.origin, clock.nowMs, own.inbound);
    this.inboundTraffic = new TrafficStats('inbound', config.service, common?.inboundTraffic);
    this.unrouted = new TrafficStats('outbound', 'unknown', common?.unrouted);
    this.timers = new Timers(
      this.wheel,
      () => this.policy,
      (nowMs, lagMs) => this.shedder.sample(nowMs, lagMs, heapShare()),
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

  /** At the addresses of the configuration, or where `placeOf` says. */
  async listen(
    placeOf: (name: string, address: ListenAddress) => ListenPlace = (_, at) => at,
  ): Promise<ListeningAddresses> {
    const { config, log } = this.options;
    const places = placesOf(config);
    const at = (name: string): ListenPlace => placeOf(name, places.get(name)!);
    const addresses: ListeningAddresses = {};
    this.proxyTls = await openTls(config, {
      log,
      isSilentAboutFiles: (this.common?.seat.index ?? 0) !== 0,
      ticketSeed: this.common?.ticketSeed,
    });
    this.pool.useTls(this.proxyTls.upstream);
    if (config.app !== undefined) {
      const { acceptor, stats } = this.proxyTls;
      const entrance = { tls: acceptor, proxyProtocol: config.proxyProtocol, stats };
      const allowance = new StreamAllowance(this.limits.concurrentStreamsMax);
      const streamsFor: StreamsFor = (nowMs) => allowance.streamsFor(this.policy.room, nowMs);
      this.inbound = this.createListener(this.inboundSide(config.app), entrance, streamsFor);
      addresses.inbound = await this.inbound.listen(at('inbound'));
      const own = this.inboundSide(config.app, true);
      this.deliveries = new Deliveries(this.context, own, () => this.timers.wake());
    }
    addresses.outbound = await this.createListener(this.outboundSide(null)).listen(at('outbound'));
    const upstreams: Record<string, string> = {};
    for (const [port, service] of config.upstream.map(splitPair)) {
      upstreams[service] = await this.createListener(this.outboundSide(service)).listen(at(`upstream ${port}`));
    }
    addresses.upstreams = upstreams;
    this.healthChecks.start();
    return addresses;
  }

  /** Gives the app a request that has no caller. Only where there is an app. */
  deliver(request: DeliveryRequest): Promise<DeliveryEnd> {
    if (this.deliveries === null) throw new Error('there is no app to deliver to');
    return this.deliveries.deliver(request);
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
    this.proxyTls?.close();
    this.timers.close();
    this.requestLog.close();
    this.limitLog.close();
  }

  /** Throws when the spec cannot be compiled; then nothing has changed. */
  applyPolicy(target: string, spec: PolicySpec | null, origin: PolicyOrigin, nowMs: number): undefined {
    this.obey(target, { spec, origin, inbound: null, outbound: null }, nowMs);
  }

  /** The same, with where the limits keep their numbers. */
  obey(target: string, policy: StandingPolicy, nowMs: number): void {
    const { spec, origin, inbound, outbound } = policy;
    if (target === this.policy.target) this.policy.apply(spec, origin, nowMs, inbound);
    const called = this.targets.get(target);
    called?.policy.apply(spec, origin, nowMs, outbound);
    if (called !== undefined) this.targets.warm(called);
    this.policies.set(target, policy);
  }

  setEndpoints(target: string, list: readonly EndpointInput[]): void {
    this.endpoints.set(target, list);
    const gone = this.targets.get(target)?.cluster.updateEndpoints(list, clock.nowMs) ?? [];
    for (const endpoint of gone) this.pool.leave(endpoint.dialAddress);
  }

  refresh(): void {}

  recordedTraffic(): RecordedTraffic {
    return this.recording.snapshot();
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

  get poolCounts(): Readonly<PoolCounts> {
    return this.pool.counts;
  }

  get endpointHealth(): readonly EndpointHealthReading[] {
    const nowMs = tick();
    return Array.from(this.targets.values(), ({ cluster }) => healthReading(cluster, nowMs));
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

  get parkingBytes(): number {
    return this.options.parker?.memory.heldBytes ?? 0;
  }

  get limitTrips(): Float64Array {
    return limitTrips.counts;
  }

  get priorities(): PriorityReading {
    return priorityReading(this.priority.table, this.policy.inbound.levels);
  }

  get stale(): StaleReading[] {
    return Array.from(this.targets.values(), ({ key, policy }) => staleReading(key, policy.staleAnswers())).flat();
  }

  get flow(): FlowReading {
    return readFlow(flowBudget);
  }

  streamViews(): StreamView[] {
    return viewStreams(flowBudget);
  }

  get tls(): TlsReading | null {
    return this.proxyTls?.reading() ?? null;
  }

  /** `isOwn`: for requests of ours, which need no credential. */
  private inboundSide(appAddress: string, isOwn = false): InboundSide {
    return new InboundSide({
      clock,
      wheel: this.wheel,
      policy: this.policy,
      gate: this.gate,
      delivery: this.delivery,
      traffic: this.inboundTraffic,
      appAddress,
      appProtocol: protocolChoice(this.options.config.appProtocol),
      meshToken: isOwn ? null : this.meshToken(true),
      threads: this.common?.seat.count ?? 1,
      trust: new Trust(isOwn || this.options.meshToken !== undefined, this.options.config.upstreamTlsIdentity),
      priority: this.priority,
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
      tells: this.options.meshToken !== undefined || this.options.config.upstreamTls,
      own: this.policy,
      priority: this.priority,
      random: this.random,
      parker: this.options.parker,
    });
  }

  private meshToken(isRequired: boolean): MeshToken | null {
    const { meshToken } = this.options;
    return meshToken === undefined ? null : new MeshToken(meshToken, isRequired);
  }

  private createListener(
    side: InboundSide | OutboundSide,
    entrance: Entrance | null = null,
    streamsFor: StreamsFor | null = null,
  ): Listener {
    const listener = new Listener(this.context, side, this.limits, entrance, streamsFor, () => this.timers.wake());
    this.listeners.push(listener);
    return listener;
  }

  private createTarget(key: string): Target {
    const { common } = this;
    const onTransition: OnTransition =
      common === null ? this.breakerLog.of(key) : (to, route) => common.onTransition(key, to, route);
    const policy = new LivePolicy(key, onTransition, this.sharing('outbound'));
    const standing = this.policies.get(key);
    if (standing !== undefined) policy.apply(standing.spec, standing.origin, clock.nowMs, standing.outbound);
    const fixed = this.options.config.endpoint.map(splitPair).filter(([service]) => service === key);
    const cluster = new Cluster({
      key,
      random: this.random,
      staticEndpoints: fixed.map(([, address]) => address),
      overTls: this.options.config.upstreamTls,
    });
    cluster.updateEndpoints(this.endpoints.get(key) ?? [], clock.nowMs);
    return {
      key,
      policy,
      cluster,
      traffic: new TrafficStats('outbound', key, common?.trafficOf(key)),
      onFailure: null,
      onProbe: null,
    };
  }

  private sharing(part: 'inbound' | 'outbound'): Sharing {
    const { common } = this;
    const delivery = part === 'inbound' ? this.delivery : null;
    return common === null
      ? { ...notShared, delivery }
      : { seat: common.seat, keySeeds: common.keySeeds, part, delivery };
  }

  /** This thread's part of a bound of the whole proxy that is not worth sharing. */
  private shareOf(bound: number): number {
    return Math.max(1, Math.floor(bound / (this.common?.seat.count ?? 1)));
  }
}
