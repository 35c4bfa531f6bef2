/**
 * The sidecar's one connection to the control plane. Everything in it is optional for the data path: it starts after the
 * sidecar serves, connects in the background for ever, and when it is cut the sidecar keeps the policies and endpoints
 * it has, while fleet verdicts run out by themselves.
 *
 *   up    heartbeats (state, every second) · reports (counts, at once on failures; shares wanted) · acks (each bundle)
 *   down  bundles, endpoints (pushed, and read back) · verdicts, grants (expire) · commands
 */
import type { NatsAccess } from '../../../proto/nats-access.ts';
import {
  buckets,
  keys,
  parseServiceKey,
  type ServiceName,
  serviceKey,
  sidecarInbox,
  subjects,
} from '../../../proto/subjects.ts';
import { BundleSync, type PolicyFileFacts } from './bundle-sync.ts';
import type { Bus } from './bus.ts';
import { type FleetCodec, loadFleetCodec } from './codec.ts';
import { obeyCommands } from './commands.ts';
import { EndpointSync } from './endpoint-sync.ts';
import { FleetSync } from './fleet-sync.ts';
import { Heartbeats } from './heartbeats.ts';
import { LastKnownGood } from './last-known-good.ts';
import type { Mesh, TargetLink } from './mesh.ts';
import { NatsBus } from './nats-bus.ts';
import { QuotaSync } from './quota-sync.ts';
import { ReportNumbers } from './report-numbers.ts';
import { WatchedKeys } from './watched-keys.ts';

export interface ControlLinkOptions extends Partial<NatsAccess> {
  readonly servers: readonly string[];
  /** Where the last known good bundles are kept; undefined = nowhere. */
  readonly dataDir?: string | undefined;
  readonly policyFile?: PolicyFileFacts | undefined;
  /** For what else speaks over the one connection. */
  readonly onBus?: (bus: Bus) => void;
}

export interface ControlLink {
  readonly connected: boolean;
  /** To be called after a breaker changed its state, so that the fleet hears of it at once. */
  onBreakerTransition(target: string): void;
  /** After the drain state changed: heartbeats say so at once. */
  onDrain(): void;
  close(): Promise<void>;
}

/** Targets beyond this are called all the same, but by local rules only. */
export const linkedTargetsMax = 1024;

/** Returns at once: what is on disk is in force then, everything else comes when it comes. */
export function startControlLink(mesh: Mesh, options: ControlLinkOptions): ControlLink {
  return new Link(mesh, options);
}

class Link implements ControlLink {
  private readonly mesh: Mesh;
  private readonly options: ControlLinkOptions;
  private readonly disk: LastKnownGood | undefined;
  private readonly bundles: BundleSync;
  private readonly targets = new Map<string, TargetLink>();
  private readonly starting: Promise<void>;
  private road: Road | undefined;
  private closing: Promise<void> | undefined;

  constructor(mesh: Mesh, options: ControlLinkOptions) {
    this.mesh = mesh;
    this.options = options;
    this.disk = options.dataDir === undefined ? undefined : new LastKnownGood(options.dataDir, mesh.log);
    this.bundles = new BundleSync(mesh, this.disk, options.policyFile);
    this.bundles.restore(serviceKey(mesh.identity));
    for (const target of mesh.targetsInUse()) this.use(target);
    mesh.onTargetUsed((target) => this.use(target));
    this.starting = this.start();
  }

  get connected(): boolean {
    return this.road?.bus.connected ?? false;
  }

  onBreakerTransition(target: string): void {
    this.road?.heartbeats.soon();
    this.road?.fleet.onTransition(target);
  }

  onDrain(): void {
    this.road?.heartbeats.soon();
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    await this.starting;
    await this.road?.close();
    await this.disk?.settled();
  }

  private async start(): Promise<void> {
    try {
      const codec = await loadFleetCodec();
      if (this.closing) return;
      this.road = new Road(this.mesh, this.options, codec, this.bundles);
      for (const target of this.targets.values()) this.road.use(target);
    } catch (error) {
      this.mesh.log('error', 'the control link cannot start, going on without it', { reason: String(error) });
    }
  }

  private use(target: TargetLink): void {
    if (this.targets.has(target.key) || this.closing) return;
    const name = parseServiceKey(target.key);
    if (!name || this.targets.size >= linkedTargetsMax) {
      this.mesh.log('warn', 'a target goes without the fleet', { target: target.key, linkedTargetsMax });
      return;
    }
    this.targets.set(target.key, target);
    if (target.key !== serviceKey(this.mesh.identity)) this.bundles.restore(target.key);
    this.road?.use(target);
  }
}

/** The parts that need the bus and the codec. */
class Road {
  readonly bus: Bus;
  readonly heartbeats: Heartbeats;
  readonly fleet: FleetSync;
  private readonly quotas: QuotaSync;
  private readonly watched: WatchedKeys;
  private readonly endpoints: EndpointSync;
  private readonly bundles: BundleSync;
  private readonly own: string;

  constructor(mesh: Mesh, options: ControlLinkOptions, codec: FleetCodec, bundles: BundleSync) {
    const { identity, log, random } = mesh;
    this.own = serviceKey(identity);
    this.bundles = bundles;
    this.bus = new NatsBus({
      servers: options.servers,
      tls: options.tls,
      credential: options.credential ?? { kind: 'none' },
      name: identity.instance,
      inboxPrefix: sidecarInbox(identity, identity.instance),
      random,
      log,
      onConnect: () => this.onConnect(),
    });
    options.onBus?.(this.bus);
    this.watched = new WatchedKeys(this.bus, random, log);
    this.endpoints = new EndpointSync(codec, log);
    const numbers = new ReportNumbers();
    this.fleet = new FleetSync(mesh, this.bus, codec, numbers);
    this.quotas = new QuotaSync(mesh, this.bus, codec, numbers);
    this.heartbeats = new Heartbeats(mesh, this.bus, codec, bundles.book);
    this.bus.subscribe(subjects.rollCall, () => this.heartbeats.onRollCall());
    bundles.speakBy({ bus: this.bus, codec });
    this.watchBundle(identity);
    obeyCommands(mesh, this.bus, codec, () => {
      this.watched.readAll();
      this.heartbeats.soon();
    });
  }

  use(target: TargetLink): void {
    const name = parseServiceKey(target.key);
    if (!name) return;
    this.fleet.follow(target);
    if (target.key !== this.own) this.watchBundle(name);
    this.watched.watch({
      bucket: buckets.endpoints,
      key: keys.endpoints(name),
      subject: subjects.endpoints(name),
      onValue: (bytes) => this.endpoints.onValue(target, bytes),
    });
  }

  async close(): Promise<void> {
    this.watched.close();
    this.fleet.close();
    this.quotas.close();
    this.heartbeats.close();
    this.heartbeats.send();
    await this.bus.close();
  }

  private onConnect(): void {
    this.heartbeats.soon();
    this.watched.onConnect();
    this.quotas.onPolicy();
  }

  private watchBundle(name: ServiceName): void {
    const target = serviceKey(name);
    this.watched.watch({
      bucket: buckets.policy,
      key: keys.bundle(name),
      subject: subjects.bundle(name),
      onValue: (bytes, origin) => {
        this.bundles.onValue(target, bytes, origin);
        if (target === this.own) this.quotas.onPolicy();
      },
    });
  }
}
