/**
 * The whole proxy, assembled:
 *
 *   callers ──▶ inbound listener ──▶ InboundSide  ─┐                ┌─▶ the app
 *                                                  ├─▶ UpstreamPool ┤
 *   the app ──▶ outbound listener ─▶ OutboundSide ─┘                └─▶ endpoints of other services
 *               upstream ports ────▶ OutboundSide (one service each)
 *
 *   policies    LivePolicy of the own service (inbound) and one per target (outbound): file, disk, control plane
 *   operators   health, metrics, admin: three doors, three addresses
 *   fleet       control link over NATS, if there is one; everything above works without it
 */

import type { Log } from '../proto/kernel/log-format.ts';
import type { ListenAddress } from '../proto/kernel/options.ts';
import { XorShift32 } from '../proto/kernel/random.ts';
import { TimerWheel } from '../proto/kernel/timer-wheel.ts';
import type { PolicySpec } from '../proto/policy/schema.ts';
import { type SidecarConfig, serviceNameOf, splitPair } from './config.ts';
import type { ExchangeContext } from './exchange/context.ts';
import { Protocol } from './exchange/http-stream.ts';
import { InboundSide } from './exchange/inbound.ts';
import { MeshToken } from './exchange/mesh-token.ts';
import { OutboundSide } from './exchange/outbound.ts';
import { type Target, Targets } from './exchange/targets.ts';
import { TrafficStats } from './exchange/traffic-stats.ts';
import { defaultLimits } from './http2/limits.ts';
import { adminDoor } from './io/admin-door.ts';
import { BreakerLog } from './io/breaker-log.ts';
import { clock } from './io/clock.ts';
import { type ControlLink, startControlLink } from './io/control-link/control-link.ts';
import { openDoor } from './io/door.ts';
import { healthDoor } from './io/health-door.ts';
import { Listener } from './io/listener.ts';
import { metricsDoor } from './io/metrics-door.ts';
import { ProxyMesh } from './io/proxy-mesh.ts';
import { RequestLog } from './io/request-log.ts';
import { Timers } from './io/timers.ts';
import { UpstreamPool } from './io/upstream/pool.ts';
import { LivePolicy } from './policy/swap.ts';
import { AuthorityMap } from './routing/authority.ts';
import { Cluster } from './routing/cluster.ts';

export interface Secrets {
  readonly natsToken: string | undefined;
  readonly metricsToken: string | undefined;
  readonly meshToken: string | undefined;
}

/** Facts about this process that only the edge knows. */
export interface ProcessFacts {
  readonly instance: string;
  readonly incarnation: string;
  readonly version: string;
  readonly seed: number;
}

export class Sidecar {
  private readonly config: SidecarConfig;
  private readonly secrets: Secrets;
  private readonly facts: ProcessFacts;
  private readonly log: Log;
  private readonly filePolicies: ReadonlyMap<string, PolicySpec>;

  private readonly random: XorShift32;
  private readonly wheel = new TimerWheel(4, clock.nowMs);
  private readonly timers: Timers;
  private readonly pool = new UpstreamPool();
  private readonly requestLog: RequestLog;
  private readonly breakerLog: BreakerLog;
  private readonly context: ExchangeContext;
  private readonly policy: LivePolicy;
  private readonly inboundTraffic: TrafficStats;
  private readonly unrouted = new TrafficStats('outbound', 'unknown');
  private readonly targets: Targets;
  private readonly listeners: Listener[] = [];
  private readonly doors: { close(): Promise<unknown> }[] = [];
  private link: ControlLink | null = null;
  private inbound: Listener | null = null;
  private inboundAddress = '';
  private isDraining = false;

  constructor(
    config: SidecarConfig,
    secrets: Secrets,
    facts: ProcessFacts,
    filePolicies: ReadonlyMap<string, PolicySpec>,
    log: Log,
  ) {
    this.config = config;
    this.secrets = secrets;
    this.facts = facts;
    this.log = log;
    this.filePolicies = filePolicies;
    this.random = new XorShift32(facts.seed);
    this.requestLog = new RequestLog(log, this.random, config.accessLogSample);
    this.breakerLog = new BreakerLog(log, (target) => this.link?.onBreakerTransition(target));
    this.context = { clock, wheel: this.wheel, upstreams: this.pool, observer: this.requestLog };
    this.policy = new LivePolicy(config.service);
    this.applyFilePolicy(this.policy);
    this.inboundTraffic = new TrafficStats('inbound', config.service);
    this.timers = new Timers(this.wheel, () => this.policy.inbound.admission);
    const explicit = new Map(config.authority.map(splitPair));
    const authorities = new AuthorityMap({ namespace: serviceNameOf(config).namespace, explicit });
    this.targets = new Targets(authorities, (key) => this.createTarget(key));
  }

  /** Serves first; the control plane connects in the background. Resolves with the addresses. */
  async start(): Promise<Readonly<Record<string, unknown>>> {
    const { config } = this;
    const addresses: Record<string, unknown> = {};
    if (config.app !== undefined) {
      this.inbound = this.createListener(this.inboundSide(config.app));
      this.inboundAddress = await this.inbound.listen(config.inbound);
      addresses.inbound = this.inboundAddress;
    }
    addresses.outbound = await this.createListener(this.outboundSide(null)).listen(config.outbound);
    const upstreams: Record<string, string> = {};
    for (const [port, service] of config.upstream.map(splitPair)) {
      const address: ListenAddress = { host: '127.0.0.1', port: Number(port) };
      upstreams[service] = await this.createListener(this.outboundSide(service)).listen(address);
    }
    addresses.upstreams = upstreams;
    const mesh = this.mesh();
    if (config.nats !== undefined) {
      this.link = startControlLink(mesh, {
        servers: config.nats.split(','),
        token: this.secrets.natsToken,
        dataDir: config.dataDir,
      });
    }
    addresses.health = await this.open(
      healthDoor(() => (this.isDraining ? 'draining' : '')),
      config.health,
    );
    addresses.metrics = await this.open(metricsDoor(mesh, this.secrets.metricsToken), config.metrics);
    addresses.admin = await this.open(adminDoor(mesh), config.admin);
    return addresses;
  }

  /** No new work from callers; what is in flight goes on. */
  drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.log.info('draining', { inFlight: this.inboundTraffic.inFlight });
    this.inbound?.drain();
    this.link?.onDrain();
  }

  get inFlight(): number {
    return this.inboundTraffic.inFlight;
  }

  async stop(): Promise<void> {
    await this.link?.close();
    await Promise.all(this.doors.map((door) => door.close()));
    await Promise.all(this.listeners.map((listener) => listener.close()));
    this.pool.close();
    this.timers.close();
    this.requestLog.close();
  }

  private inboundSide(appAddress: string): InboundSide {
    return new InboundSide({
      clock,
      policy: this.policy,
      traffic: this.inboundTraffic,
      appAddress,
      appProtocol: protocolChoice(this.config.appProtocol),
      meshToken: this.meshToken(true),
    });
  }

  private outboundSide(fixedTarget: string | null): OutboundSide {
    return new OutboundSide({
      clock,
      targets: this.targets,
      unrouted: this.unrouted,
      fixedTarget,
      upstreamProtocol: protocolChoice('auto'),
      meshToken: this.meshToken(false),
    });
  }

  private meshToken(isRequired: boolean): MeshToken | null {
    const { meshToken } = this.secrets;
    return meshToken === undefined ? null : new MeshToken(meshToken, isRequired);
  }

  private createListener(side: InboundSide | OutboundSide): Listener {
    const listener = new Listener(this.context, side, defaultLimits, () => this.timers.wake());
    this.listeners.push(listener);
    return listener;
  }

  private createTarget(key: string): Target {
    const policy = new LivePolicy(key, this.breakerLog.of(key));
    this.applyFilePolicy(policy);
    const fixed = this.config.endpoint.map(splitPair).filter(([service]) => service === key);
    return {
      key,
      policy,
      cluster: new Cluster({ key, random: this.random, staticEndpoints: fixed.map(([, address]) => address) }),
      traffic: new TrafficStats('outbound', key),
      onFailure: null,
    };
  }

  private applyFilePolicy(policy: LivePolicy): void {
    const spec = this.filePolicies.get(policy.target);
    if (spec !== undefined) policy.apply(spec, { epoch: '', version: 0, hash: 'file' }, clock.nowMs);
  }

  private async open(door: Parameters<typeof openDoor>[0], address: ListenAddress): Promise<string> {
    this.doors.push(door);
    return openDoor(door, address);
  }

  private mesh(): ProxyMesh {
    const { config, facts } = this;
    return new ProxyMesh({
      identity: {
        ...serviceNameOf(config),
        instance: facts.instance,
        incarnation: facts.incarnation,
        zone: config.zone ?? '',
        version: facts.version,
      },
      address: config.app === undefined ? '' : (config.advertise ?? this.inboundAddress),
      config,
      random: this.random,
      log: this.log,
      policy: this.policy,
      inboundTraffic: this.inboundTraffic,
      unrouted: this.unrouted,
      targets: this.targets,
      listeners: this.listeners,
      pool: this.pool,
      timers: this.timers,
      transitions: this.breakerLog.transitions,
      isDraining: () => this.isDraining,
      drain: () => this.drain(),
      isConnected: () => this.link?.connected ?? false,
    });
  }
}

function protocolChoice(setting: 'auto' | 'http2' | 'http1'): (callers: number) => number {
  if (setting === 'auto') return (callers) => callers;
  return setting === 'http2' ? () => Protocol.http2 : () => Protocol.http1;
}
