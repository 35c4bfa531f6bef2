/**
 * The queues of a sidecar: where it parks requests for others, and from where it takes those that others parked for its
 * app. Delivering begins with the first policy of the own service that parks, or when something is parked already.
 */
import type { Log } from '../../../proto/kernel/log-format.ts';
import type { Random } from '../../../proto/kernel/random.ts';
import { type ServiceName, streams } from '../../../proto/subjects.ts';
import type { ConsumerConfig } from '../../routing/consumer-options.ts';
import type { Bus } from '../control-link/bus.ts';
import type { Plane } from '../plane.ts';
import { messagesIn } from './jet-stream.ts';
import type { JetStreamParker } from './jet-stream-parker.ts';
import { type QueueCounts, queueCounts } from './queue-consumer.ts';
import { Redelivery, type RedeliveryOptions, redeliveriesAtOnceMax } from './redelivery.ts';
import { StoredCounts } from './stored-counts.ts';
import { WorkQueue } from './work-queue.ts';

export interface QueuesOptions {
  readonly parker: JetStreamParker;
  readonly plane: Plane;
  readonly service: ServiceName;
  readonly instance: string;
  readonly config: ConsumerConfig & { readonly app?: string | undefined };
  /** Whether the app is well and wanted. */
  readonly isReady: () => boolean;
  readonly random: Random;
  readonly log: Log;
}

const lookEveryMs = 1000;

export class Queues {
  /** By name of the queue. */
  readonly delivered = new Map<string, QueueCounts>();
  private readonly options: QueuesOptions;
  private redelivery: Redelivery | null = null;
  private workQueue: WorkQueue | null = null;
  /** Once something is delivered; until then nobody parks for the service. */
  stored: StoredCounts | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(options: QueuesOptions) {
    this.options = options;
  }

  attach(bus: Bus): void {
    const { parker, plane, config, service } = this.options;
    parker.attach(bus);
    if (config.app === undefined || plane.deliver === null) return;
    if (config.consume !== undefined) this.consume(bus, config.consume);
    this.timer = setInterval(() => {
      // Dead letters of a queue are sent again by way of what is parked.
      if (plane.policy.parks || config.consume !== undefined) this.deliverFrom(bus);
    }, lookEveryMs);
    bus.onConnected(() => {
      messagesIn(bus, streams.retry, streams.retrySubject(service)).then(
        (messages) => {
          if (messages > 0) this.deliverFrom(bus);
        },
        () => undefined,
      );
    });
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.redelivery?.close();
    this.workQueue?.close();
    this.stored?.close();
  }

  private consume(bus: Bus, name: string): void {
    const { config, plane } = this.options;
    const counts = queueCounts();
    this.delivered.set(name, counts);
    const limit = (): number => plane.policy.inbound.admission?.limit ?? config.consumeMax;
    this.workQueue = new WorkQueue({ ...this.options, ...this.delivering(), bus, limit, counts });
  }

  private delivering(): Pick<RedeliveryOptions, 'deliver'> {
    const { plane } = this.options;
    return {
      deliver(request) {
        if (plane.deliver === null) throw new Error('nothing can be delivered');
        return plane.deliver(request);
      },
    };
  }

  private deliverFrom(bus: Bus): void {
    const { policy } = this.options.plane;
    if (this.redelivery !== null || this.timer === null) return;
    this.stored = new StoredCounts(bus, this.options.service, this.options.random);
    const counts = queueCounts();
    this.delivered.set('retry', counts);
    this.redelivery = new Redelivery({
      ...this.options,
      bus,
      ...this.delivering(),
      limit: () => policy.inbound.admission?.limit ?? redeliveriesAtOnceMax,
      counts,
    });
  }
}
