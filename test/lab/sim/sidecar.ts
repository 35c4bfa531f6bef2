/**
 * A sidecar as the data plane assembles it, around the simulation's clock and wires instead of sockets: policies,
 * sides, clusters and exchanges are the real ones.
 */

import type { PolicySpec } from '../../../proto/policy/schema.ts';
import { Reason } from '../../../proto/reasons.ts';
import { DeliveryCredit } from '../../../sidecar/admission/delivery-credit.ts';
import { SelfShedder } from '../../../sidecar/admission/self-shedder.ts';
import type { ExchangeContext } from '../../../sidecar/exchange/context.ts';
import { ContextTable } from '../../../sidecar/exchange/context-table.ts';
import { Gate } from '../../../sidecar/exchange/gate.ts';
import { type HttpStream, Protocol, type UpstreamConnection } from '../../../sidecar/exchange/http-stream.ts';
import { InboundSide } from '../../../sidecar/exchange/inbound.ts';
import { OutboundSide } from '../../../sidecar/exchange/outbound.ts';
import type { Peer } from '../../../sidecar/exchange/peer.ts';
import { beginExchange } from '../../../sidecar/exchange/recycling.ts';
import { RequestPriority } from '../../../sidecar/exchange/request-priority.ts';
import { type Target, Targets } from '../../../sidecar/exchange/targets.ts';
import { TrafficStats } from '../../../sidecar/exchange/traffic-stats.ts';
import { Trust } from '../../../sidecar/exchange/trust.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { LivePolicy, type PolicyOrigin } from '../../../sidecar/policy/swap.ts';
import { BreakerState } from '../../../sidecar/resilience/breaker-state.ts';
import { AuthorityMap } from '../../../sidecar/routing/authority.ts';
import { Cluster } from '../../../sidecar/routing/cluster.ts';
import { namespace } from '../policies.ts';
import type { ServiceRecord } from '../recording.ts';
import { diceOf } from './dice.ts';
import type { World } from './world.ts';

const origin: PolicyOrigin = { epoch: '', version: 1, hash: 'lab' };
const appAddress = '127.0.0.1:8080';

export interface SidecarOptions {
  readonly world: World;
  readonly name: string;
  /** Its own service; '' for one that stands beside nothing but callers. */
  readonly service: string;
  /** By service. */
  readonly policies: ReadonlyMap<string, PolicySpec>;
  /** The addresses of every service's replicas. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
  readonly connectionTo: (address: string) => UpstreamConnection | undefined;
}

export class SimSidecar {
  readonly policy: LivePolicy;
  readonly inboundTraffic: TrafficStats;
  readonly targets: Targets;
  /** What its own app is reached by; null without one. */
  app: UpstreamConnection | null = null;
  private readonly options: SidecarOptions;
  private readonly inbound: InboundSide;
  private readonly outbound: OutboundSide;
  private readonly context: ExchangeContext;
  private readonly record: ServiceRecord | null;
  private readonly peer: Peer = { address: '127.0.0.1', identity: '' };

  constructor(options: SidecarOptions) {
    const { world, name, service, policies } = options;
    const { clock } = world;
    this.options = options;
    this.record = service === '' ? null : world.recording.service(service);
    const key = `${namespace}/${service}`;
    this.policy = new LivePolicy(key);
    this.policy.apply(policies.get(service) ?? null, origin, clock.nowMs);
    this.inboundTraffic = new TrafficStats('inbound', key);
    const gate = new Gate(new SelfShedder({ lagMsMax: 0, heapShareMax: 0 }));
    this.targets = new Targets(new AuthorityMap({ namespace }), (target) => this.createTarget(target));
    const random = diceOf(world.seed, `priority ${name}`);
    const priority = new RequestPriority({ table: new ContextTable(world.seed), random, wallOriginMs: 0 });
    this.inbound = new InboundSide({
      clock,
      wheel: world.wheel,
      policy: this.policy,
      gate,
      delivery: new DeliveryCredit(),
      traffic: this.inboundTraffic,
      appAddress,
      appProtocol: () => Protocol.http2,
      meshToken: null,
      trust: new Trust(true, []),
      priority,
    });
    this.outbound = new OutboundSide({
      clock,
      gate,
      targets: this.targets,
      unrouted: new TrafficStats('outbound', 'unknown'),
      fixedTarget: null,
      upstreamProtocol: () => Protocol.http2,
      meshToken: null,
      tells: true,
      own: this.policy,
      priority,
      random,
      parker: null,
    });
    this.context = {
      budget: world.budget,
      clock,
      wheel: world.wheel,
      observer: { onSettled() {} },
      random: diceOf(world.seed, `retries ${name}`),
      upstreams: {
        connect: (address, _protocol, _timeoutMs, waiter) => {
          const connection = address === appAddress ? this.app : options.connectionTo(address);
          if (connection) waiter.onConnection(connection);
          else waiter.onConnectFailed(Reason.upstreamConnect, `nobody listens at ${address}`);
        },
        cancel() {},
      },
    };
    this.name = name;
    world.onTick(this);
  }

  readonly name: string;

  acceptInbound(stream: HttpStream, head: HeaderList, endStream: boolean): void {
    this.record?.count(this.record.arrived, this.options.world.elapsedMs);
    beginExchange(this.context, this.inbound, stream, head, endStream, Protocol.http2, this.peer);
  }

  acceptOutbound(stream: HttpStream, head: HeaderList, endStream: boolean): void {
    beginExchange(this.context, this.outbound, stream, head, endStream, Protocol.http2, this.peer);
  }

  onTick(nowMs: number): void {
    const { admission } = this.policy.inbound;
    if (admission !== null && admission.queued > 0) admission.expire(nowMs);
  }

  private createTarget(key: string): Target {
    const { world, name, policies, endpoints } = this.options;
    const service = key.slice(namespace.length + 1);
    const record = world.recording.service(service);
    const policy = new LivePolicy(key, ({ from, to }) => {
      // From half open it only goes on.
      if (to === BreakerState.open && from !== BreakerState.halfOpen) record.count(record.opened, world.elapsedMs);
    });
    policy.apply(policies.get(service) ?? null, origin, world.clock.nowMs);
    const cluster = new Cluster({
      key,
      random: diceOf(world.seed, `cluster ${name}`),
      staticEndpoints: endpoints.get(service) ?? [],
    });
    return { key, policy, cluster, traffic: new TrafficStats('outbound', key), onFailure: null, onProbe: null };
  }
}
