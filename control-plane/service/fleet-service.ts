/**
 * What the mesh says, brought together: heartbeats and acks into the fleet view, its changes into the event feed and to
 * whoever watches. Everything the API shows about the fleet is asked here.
 */
import type { BreakerCellView, FleetSnapshot, InstanceView, ScalingView, ServiceView } from '../../proto/api.ts';
import { type Ack, decodeAck, decodeHeartbeat, type Heartbeat } from '../../proto/fleet.ts';
import type { Log } from '../../proto/kernel/log-format.ts';
import { EventFeed, type EventKind } from '../fleet/event-feed.ts';
import { FleetView, type Surroundings } from '../fleet/fleet-view.ts';
import type { InstanceChange } from '../fleet/instances.ts';
import type { PublishedBundle } from '../fleet/policy-status.ts';
import type { BusMessage } from './bus.ts';
import type { Clock } from './clock.ts';
import type { PolicyStore } from './policy-store.ts';
import { speaksForItself } from './speaker.ts';

export interface FleetServiceOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: PolicyStore;
  readonly fleetBreaker: Surroundings['fleetBreaker'];
  readonly quotas: Surroundings['quotas'];
  readonly leadership: () => { readonly leader: boolean; readonly epoch: string };
  readonly isConnected: () => boolean;
  /** An instance came, went, or changed where it can be reached. */
  readonly onEndpointChange: (service: string) => void;
}

/** When ten thousand come at once, a line for each would cost more than hearing them: the rest is counted. */
const toldPerTickMax = 20;

export class FleetService {
  readonly view = new FleetView();
  private readonly options: FleetServiceOptions;
  private readonly feed = new EventFeed();
  private readonly watchers = new Set<() => void>();
  private told = 0;
  private readonly untold = new Map<string, number>();

  constructor(options: FleetServiceOptions) {
    this.options = options;
  }

  /** The heartbeat, when it was taken. */
  onHeartbeat(message: BusMessage): Heartbeat | undefined {
    const heartbeat = decodeHeartbeat(message.data);
    if (!heartbeat || !speaksForItself(message.subject, heartbeat.identity)) return undefined;
    const { clock, onEndpointChange } = this.options;
    const before = this.view.reachability(heartbeat.identity);
    const change = this.view.onHeartbeat(heartbeat, clock.nowMs());
    if (change) this.tell(change);
    if (change || before !== this.view.reachability(heartbeat.identity)) {
      onEndpointChange(`${heartbeat.identity.namespace}/${heartbeat.identity.service}`);
    }
    return heartbeat;
  }

  /** The ack, unless it could not be read or spoke for somebody else. */
  onAck(message: BusMessage): Ack | undefined {
    const ack = decodeAck(message.data);
    if (!ack || !speaksForItself(message.subject, ack.identity)) return undefined;
    if (!this.view.onAck(ack)) return ack;
    if (ack.applied.status === 'rejected') {
      const { instance } = ack.identity;
      this.event(
        'policy',
        ack.applied.target,
        `${instance} rejected version ${ack.applied.version}: ${ack.applied.message}`,
      );
    }
    this.changed();
    return ack;
  }

  /** A few times a second. */
  tick(): void {
    for (const change of this.view.tick(this.options.clock.nowMs())) {
      this.tell(change);
      this.options.onEndpointChange(change.service);
    }
    this.tellRest();
  }

  event(kind: EventKind, target: string, text: string): void {
    this.feed.add(kind, target, text, this.options.clock.wallMs());
    this.changed();
  }

  /** Called soon after something changed that people wait for; the caller spaces out what it does about it. */
  onChange(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  instances(): InstanceView[] {
    return this.view.instanceViews(this.options.clock.nowMs());
  }

  services(): ServiceView[] {
    return this.view.serviceViews(this.surroundings(), this.options.clock.nowMs());
  }

  breakers(): BreakerCellView[] {
    return this.view.breakerCells(this.options.clock.nowMs());
  }

  /** How many instances a service wants. */
  scaling(service: string, targetConcurrency?: number): ScalingView {
    const { clock, isConnected } = this.options;
    const decision = this.view.scaling(service, clock.nowMs(), targetConcurrency);
    if (isConnected()) return decision;
    return { ...decision, wanted: null, explanation: 'not known: NATS is away' };
  }

  snapshot(): FleetSnapshot {
    const { id, clock, leadership, isConnected } = this.options;
    const { leader, epoch } = leadership();
    return {
      at: new Date(clock.wallMs()).toISOString(),
      controlPlane: { id, leader, natsConnected: isConnected(), epoch },
      services: this.services(),
      breakers: this.breakers(),
      events: this.feed.list(),
    };
  }

  private surroundings(): Surroundings {
    const bundles = new Map<string, PublishedBundle>();
    for (const [target, { bundle }] of this.options.store.bundles) {
      if (bundle)
        bundles.set(target, {
          version: bundle.version,
          hash: bundle.hash,
          hasPolicy: bundle.stable !== null || bundle.candidate !== null,
        });
    }
    const { fleetBreaker, quotas } = this.options;
    return { bundles, fleetBreaker, quotas };
  }

  private tell({ kind, service, instance }: InstanceChange): void {
    if (this.told >= toldPerTickMax) {
      this.untold.set(kind, (this.untold.get(kind) ?? 0) + 1);
      return;
    }
    this.told++;
    this.options.log.info(`instance ${kind}`, { service, instance });
    this.event('instance', service, `${instance} ${kind}`);
  }

  private tellRest(): void {
    this.told = 0;
    if (this.untold.size === 0) return;
    const counts = [...this.untold].map(([kind, count]) => `${count} ${kind}`).join(', ');
    this.untold.clear();
    this.options.log.info('more instances changed', { counts });
    this.event('instance', '', `and more: ${counts}`);
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher();
  }
}
