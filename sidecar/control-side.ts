/**
 * Everything beside the path of requests: what operators and the control plane see of the data plane, and ask of it.
 *
 *   operators   health, metrics, admin: three doors, three addresses
 *   fleet       control link over NATS, if there is one; requests are served without it
 */
import type { Log } from '../proto/kernel/log-format.ts';
import type { ListenAddress } from '../proto/kernel/options.ts';
import { XorShift32 } from '../proto/kernel/random.ts';
import type { NatsAccess } from '../proto/nats-access.ts';
import { type SidecarConfig, serviceNameOf } from './config.ts';
import { adminDoor } from './io/admin-door.ts';
import { tick } from './io/clock.ts';
import type { PolicyFileFacts } from './io/control-link/bundle-sync.ts';
import type { Bus } from './io/control-link/bus.ts';
import { type ControlLink, startControlLink } from './io/control-link/control-link.ts';
import { openDoor } from './io/door.ts';
import { healthDoor } from './io/health-door.ts';
import { metricsDoor } from './io/metrics-door.ts';
import type { Plane } from './io/plane.ts';
import { PressureControl } from './io/pressure/pressure-control.ts';
import { ProxyMesh } from './io/proxy-mesh.ts';
import type { JetStreamParker } from './io/queue/jet-stream-parker.ts';
import type { QueueCounts } from './io/queue/queue-consumer.ts';
import { Queues } from './io/queue/queues.ts';
import { AppHealth, parseAppHealth } from './io/upstream/app-health.ts';

export interface Secrets {
  readonly nats: NatsAccess | undefined;
  readonly metricsToken: string | undefined;
  readonly meshToken: string | undefined;
}

/** Facts about this process that only the edge knows. */
export interface ProcessFacts {
  readonly instance: string;
  readonly incarnation: string;
  readonly version: string;
  readonly seed: number;
  readonly policyFile?: PolicyFileFacts | undefined;
}

export interface ControlSideOptions {
  readonly config: SidecarConfig;
  readonly secrets: Secrets;
  readonly facts: ProcessFacts;
  readonly log: Log;
  readonly plane: Plane;
  readonly parker: JetStreamParker;
  readonly isDraining: () => boolean;
  readonly drain: () => void;
}

const noQueues: ReadonlyMap<string, QueueCounts> = new Map();

export class ControlSide {
  private readonly options: ControlSideOptions;
  private readonly doors: { close(): Promise<unknown> }[] = [];
  private link: ControlLink | null = null;
  private appHealth: AppHealth | null = null;
  private queues: Queues | null = null;

  constructor(options: ControlSideOptions) {
    this.options = options;
  }

  /** Opens the doors; the control plane connects in the background. `inbound` is where the data plane listens. */
  async start(inbound: string): Promise<Readonly<Record<string, string>>> {
    const { config, secrets, facts } = this.options;
    const mesh = this.mesh(inbound);
    if (secrets.nats) {
      const onBus = (bus: Bus): void => this.onBus(bus);
      this.link = startControlLink(mesh, {
        ...secrets.nats,
        dataDir: config.dataDir,
        policyFile: facts.policyFile,
        onBus,
      });
    }
    this.startAppHealth();
    return {
      health: await this.open(
        healthDoor(() => this.notReadyBecause()),
        config.health,
      ),
      metrics: await this.open(metricsDoor(mesh, secrets.metricsToken), config.metrics),
      admin: await this.open(adminDoor(mesh, this.pressure()), config.admin),
    };
  }

  onDrain(): void {
    this.link?.onDrain();
  }

  onBreakerTransition(target: string): void {
    this.link?.onBreakerTransition(target);
  }

  async close(): Promise<void> {
    this.appHealth?.close();
    this.queues?.close();
    await this.link?.close();
    await Promise.all(this.doors.map((door) => door.close()));
  }

  private onBus(bus: Bus): void {
    const { config, facts, log, parker, plane } = this.options;
    this.queues = new Queues({
      parker,
      plane,
      service: serviceNameOf(config),
      instance: facts.instance,
      config,
      isReady: () => this.notReadyBecause() === '',
      random: new XorShift32(facts.seed ^ 0x1b873593),
      log,
    });
    this.queues.attach(bus);
  }

  private notReadyBecause(): string {
    if (this.options.isDraining()) return 'draining';
    return isServing(this.options.plane) ? (this.appHealth?.notReadyBecause ?? '') : 'no worker is running';
  }

  private startAppHealth(): void {
    const { config, facts, log } = this.options;
    if (config.app === undefined || config.appHealth === undefined) return;
    const probe = parseAppHealth(config.appHealth, config.appProtocol);
    const random = new XorShift32(facts.seed ^ 0x2545f491);
    this.appHealth = new AppHealth({ address: config.app, probe, random, log });
    this.appHealth.start();
  }

  private pressure(): PressureControl | null {
    const { config, plane } = this.options;
    if (config.app === undefined) return null;
    const queued = (): number => plane.policy.queued;
    return new PressureControl({
      credit: plane.delivery,
      queued,
      inFlight: () => {
        plane.refresh();
        return Math.max(0, plane.inboundTraffic.inFlight - queued());
      },
      onCredit: () => plane.policy.onCredit(tick()),
    });
  }

  private async open(door: Parameters<typeof openDoor>[0], address: ListenAddress): Promise<string> {
    this.doors.push(door);
    return openDoor(door, address);
  }

  private mesh(inbound: string): ProxyMesh {
    const { config, facts, log, plane, isDraining, drain } = this.options;
    return new ProxyMesh({
      identity: {
        ...serviceNameOf(config),
        instance: facts.instance,
        incarnation: facts.incarnation,
        zone: config.zone ?? '',
        version: facts.version,
      },
      address: config.app === undefined ? '' : (config.advertise ?? inbound),
      config,
      random: new XorShift32(facts.seed ^ 0x5bd1e995),
      log,
      plane,
      isDraining,
      drain,
      isConnected: () => this.link?.connected ?? false,
      queues: () => ({
        memoryBytes: this.options.plane.parkingBytes,
        delivered: this.queues?.delivered ?? noQueues,
        stored: this.queues?.stored ?? null,
        service: config.service,
      }),
    });
  }
}

function isServing({ workers }: Plane): boolean {
  return workers.length === 0 || workers.some(({ isRunning }) => isRunning);
}
