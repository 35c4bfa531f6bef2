/**
 * Delivers what is parked for the own service. All its sidecars take from one consumer of WEIR_RETRY; what is done is gone,
 * what cannot be done is published to WEIR_DLQ, and taken from the queue only when that is confirmed.
 */
import type { Random } from '../../../proto/kernel/random.ts';
import { type DeathReason, decodeParked, parkedHeader } from '../../../proto/parked.ts';
import { serviceKey, streams } from '../../../proto/subjects.ts';
import type { DeliveryEnd } from '../../exchange/delivery.ts';
import type { DeliveryRequest } from './deliveries.ts';
import { JetStreamSource } from './jet-stream-source.ts';
import { Letters, type LettersOptions, requestMadeOf } from './letters.ts';
import { QueueConsumer, type QueueCounts, type QueueHandler, type Redelivering } from './queue-consumer.ts';
import type { QueueMessage } from './queue-source.ts';

export interface RedeliveryOptions extends LettersOptions {
  readonly deliver: (request: DeliveryRequest) => Promise<DeliveryEnd>;
  readonly limit: () => number;
  readonly isReady: () => boolean;
  readonly random: Random;
  readonly counts: QueueCounts;
}

/** In the app's hands at once, by one sidecar: what is parked is in no hurry. */
export const redeliveriesAtOnceMax = 16;
const deliveryTimeoutMs = 30_000;
const ackWaitMs = 15_000;
/** Of all sidecars of a service, those that wait for their next delivery included. */
export const ackPendingMax = 50_000;
/** For what cannot be read. */
const unreadable: Redelivering = { deliveriesMax: 1, baseMs: 60_000, maxMs: 60_000 };

export class Redelivery implements QueueHandler {
  private readonly options: RedeliveryOptions;
  private readonly letters: Letters;
  private readonly consumer: QueueConsumer;

  constructor(options: RedeliveryOptions) {
    this.options = options;
    this.letters = new Letters(options);
    const { bus, service } = options;
    const source = new JetStreamSource({
      bus,
      stream: streams.retry,
      consumer: streams.retryConsumer(service),
      subject: streams.retrySubject(service),
      ackWaitMs,
      ackPendingMax,
      isOthers: false,
    });
    this.consumer = new QueueConsumer({ ...options, source, handler: this, inHandMax: redeliveriesAtOnceMax });
    options.log.info('delivering what is parked for the service', { service: serviceKey(service) });
  }

  close(): void {
    this.consumer.close();
  }

  requestOf(message: QueueMessage): DeliveryRequest | DeathReason {
    const parked = decodeParked(message.header(parkedHeader));
    if (parked === undefined) return 'undecodable';
    if (Date.now() - parked.parkedAtMs > parked.ageMaxMs) return 'expired';
    const { isGrpc, httpVersion, method, scheme, authority, path, headers } = parked;
    return {
      isGrpc,
      httpVersion,
      method,
      scheme,
      authority,
      path,
      headers,
      body: message.body,
      delivery: message.deliveries,
      tier: 'background',
      timeoutMs: deliveryTimeoutMs,
    };
  }

  redelivering(message: QueueMessage): Redelivering {
    const parked = decodeParked(message.header(parkedHeader));
    if (parked === undefined) return unreadable;
    return { deliveriesMax: parked.deliveriesMax, baseMs: parked.backoffBaseMs, maxMs: parked.backoffMaxMs };
  }

  bury(message: QueueMessage, reason: DeathReason, end: DeliveryEnd | null): Promise<boolean> {
    const parked = decodeParked(message.header(parkedHeader));
    // What cannot be read is kept to be looked at.
    const shown = parked ?? { ...requestMadeOf(this.options, `unreadable-${message.sequence}`), parkedAtMs: 0 };
    return this.letters.store(message, shown, reason, end);
  }
}
