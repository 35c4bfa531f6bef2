/**
 * The queues of a sidecar: where it parks requests for others, and from where it takes those that others parked for its
 * app. Delivering begins with the first policy of the own service that parks, or when something is parked already.
 */
import type { Log } from '../../../proto/kernel/log-format.ts';
import type { Random } from '../../../proto/kernel/random.ts';
import { type ServiceName, streams } from '../../../proto/subjects.ts';
import type { Bus } from '../control-link/bus.ts';
import type { Plane } from '../plane.ts';
import { messagesIn } from './jet-stream.ts';
import type { JetStreamParker } from './jet-stream-parker.ts';
import { type QueueCounts, queueCounts } from './queue-consumer.ts';
import { Redelivery, redeliveriesAtOnceMax } from './redelivery.ts';
import { StoredCounts } from './stored-counts.ts';

export interface QueuesOptions {
  readonly parker: JetStreamParker;
  readonly plane: Plane;
  readonly service: ServiceName;
  readonly instance: string;
  readonly hasApp: boolean;
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
  /** Once something is delivered; until then nobody parks for the service. */
  stored: StoredCounts | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(options: QueuesOptions) {
    this.options = options;
  }

  attach(bus: Bus): void {
    const { parker, plane, hasApp, service } = this.options;
    parker.attach(bus);
    if (!hasApp || plane.deliver === null) return;
    this.timer = setInterval(() => {
      if (plane.policy.parks) this.deliverFrom(bus);
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
    this.stored?.close();
  }

  private deliverFrom(bus: Bus): void {
    const { plane } = this.options;
    const { deliver, policy } = plane;
    if (this.redelivery !== null || this.timer === null || deliver === null) return;
    this.stored = new StoredCounts(bus, this.options.service, this.options.random);
    const counts = queueCounts();
    this.delivered.set('retry', counts);
    this.redelivery = new Redelivery({
      ...this.options,
      bus,
      deliver: (request) => deliver.call(plane, request),
      limit: () => policy.inbound.admission?.limit ?? redeliveriesAtOnceMax,
      counts,
    });
  }
}
