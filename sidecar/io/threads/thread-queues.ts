/**
 * The queues of a proxy of several threads, in the main one: it stores what workers park, and gives each of them its turn at
 * what is to be delivered.
 */
import { Reason } from '../../../proto/reasons.ts';
import type { DeliveryEnd } from '../../exchange/delivery.ts';
import type { Parker } from '../../exchange/parker.ts';
import type { DeliveryRequest } from '../queue/deliveries.ts';
import type { FromWorker, ToWorker } from './messages.ts';

export interface ThreadQueuesOptions {
  readonly parker: Parker;
  readonly incarnation: string;
  readonly seats: number;
  readonly post: (seat: number, message: ToWorker) => void;
  readonly running: () => readonly number[];
}

export type QueueSaying = Extract<FromWorker, { kind: 'park' | 'delivered' }>;

const reachEveryMs = 100;
/** Nobody can tell what became of it. */
const lost: DeliveryEnd = { status: 0, grpcStatus: '', reason: Reason.internal };
/** Nobody has looked at it. */
const untouched: DeliveryEnd = { status: 0, grpcStatus: '', reason: Reason.upstreamConnect };

export class ThreadQueues {
  /** What a worker has to know to park. */
  readonly start: { readonly incarnation: string; readonly reach: SharedArrayBuffer };
  private readonly options: ThreadQueuesOptions;
  /** Whether there is somewhere to park; then what each worker's memory of it holds, in bytes. */
  private readonly reach: Int32Array;
  private readonly timer: NodeJS.Timeout;
  private readonly deliveries = new Map<number, { seat: number; resolve: (end: DeliveryEnd) => void }>();
  private delivered = 0;

  constructor(options: ThreadQueuesOptions) {
    this.options = options;
    const reach = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * (1 + options.seats));
    this.start = { incarnation: options.incarnation, reach };
    this.reach = new Int32Array(reach);
    this.timer = setInterval(() => Atomics.store(this.reach, 0, options.parker.isReachable ? 1 : 0), reachEveryMs);
  }

  get heldBytes(): number {
    return this.reach.subarray(1).reduce((sum, bytes) => sum + bytes, 0);
  }

  deliver(request: DeliveryRequest): Promise<DeliveryEnd> {
    const { running, post } = this.options;
    const seats = running();
    const seat = seats[this.delivered % seats.length];
    if (seat === undefined) return Promise.resolve(untouched);
    this.delivered++;
    const id = this.delivered;
    return new Promise((resolve) => {
      this.deliveries.set(id, { seat, resolve });
      post(seat, { kind: 'deliver', id, request });
    });
  }

  onMessage(seat: number, message: QueueSaying): void {
    const { parker, post } = this.options;
    if (message.kind === 'park') {
      const { id, request, body, messagesMax } = message;
      parker.park(request, Buffer.from(body), messagesMax, (result) => post(seat, { kind: 'parked', id, result }));
    } else this.end(message.id, message.end);
  }

  /** The worker at this seat is dead, and what it had in hand with it. */
  leave(seat: number): void {
    this.reach[1 + seat] = 0;
    for (const [id, delivery] of this.deliveries) if (delivery.seat === seat) this.end(id, lost);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private end(id: number, end: DeliveryEnd): void {
    const delivery = this.deliveries.get(id);
    this.deliveries.delete(id);
    delivery?.resolve(end);
  }
}
