/**
 * Delivers what is parked for the own service. All its sidecars take from one consumer of WEIR_RETRY; what is done is gone,
 * what cannot be done is published to WEIR_DLQ, and taken from the queue only when that is confirmed.
 */
import type { Log } from '../../../proto/kernel/log-format.ts';
import type { Random } from '../../../proto/kernel/random.ts';
import {
  type DeathReason,
  decodeParked,
  encodeParked,
  type ParkedRequest,
  parkedHeader,
} from '../../../proto/parked.ts';
import { reasonName } from '../../../proto/reasons.ts';
import { type ServiceName, serviceKey, streams } from '../../../proto/subjects.ts';
import type { DeliveryEnd } from '../../exchange/delivery.ts';
import type { Bus } from '../control-link/bus.ts';
import type { DeliveryRequest } from './deliveries.ts';
import { publishConfirmed } from './jet-stream.ts';
import { JetStreamSource } from './jet-stream-source.ts';
import { QueueConsumer, type QueueCounts, type QueueHandler, type Redelivering } from './queue-consumer.ts';
import type { QueueMessage } from './queue-source.ts';

export interface RedeliveryOptions {
  readonly bus: Bus;
  readonly service: ServiceName;
  readonly instance: string;
  readonly deliver: (request: DeliveryRequest) => Promise<DeliveryEnd>;
  readonly limit: () => number;
  readonly isReady: () => boolean;
  readonly random: Random;
  readonly counts: QueueCounts;
  readonly log: Log;
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
  private readonly consumer: QueueConsumer;

  constructor(options: RedeliveryOptions) {
    this.options = options;
    const { bus, service } = options;
    const source = new JetStreamSource({
      bus,
      stream: streams.retry,
      consumer: streams.retryConsumer(service),
      subject: streams.retrySubject(service),
      ackWaitMs,
      ackPendingMax,
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
      timeoutMs: deliveryTimeoutMs,
    };
  }

  redelivering(message: QueueMessage): Redelivering {
    const parked = decodeParked(message.header(parkedHeader));
    if (parked === undefined) return unreadable;
    return { deliveriesMax: parked.deliveriesMax, baseMs: parked.backoffBaseMs, maxMs: parked.backoffMaxMs };
  }

  async bury(message: QueueMessage, reason: DeathReason, end: DeliveryEnd | null): Promise<boolean> {
    const { bus, service, instance, log } = this.options;
    const parked = decodeParked(message.header(parkedHeader)) ?? this.unread(message);
    const { deliveries, sequence } = message;
    const death = { reason, answer: answerOf(end), deliveries, atMs: Date.now(), instance };
    const headers = {
      [parkedHeader]: encodeParked({ ...parked, death }),
      // Of this place in the queue: one that is redriven, and dies again, is another.
      'Nats-Msg-Id': `dead-${parked.reference}-${sequence}`,
    };
    const result = await publishConfirmed(bus, streams.deadSubject(service), message.body, headers);
    if (result === 'stored') log.warn('a parked request is dead', { reference: parked.reference, ...death });
    else log.error('a dead letter was not stored, and stays parked', { reference: parked.reference, result });
    return result === 'stored';
  }

  /** So that it can be looked at. */
  private unread({ sequence }: QueueMessage): ParkedRequest {
    const { service } = this.options;
    return {
      v: 1,
      reference: `unreadable-${sequence}`,
      target: serviceKey(service),
      from: '',
      reason: '',
      parkedAtMs: 0,
      isGrpc: false,
      httpVersion: 1,
      method: 'POST',
      scheme: 'http',
      authority: service.service,
      path: '/',
      headers: [],
      deliveriesMax: 1,
      backoffBaseMs: 60_000,
      backoffMaxMs: 60_000,
      ageMaxMs: 0,
    };
  }
}

function answerOf(end: DeliveryEnd | null): string {
  if (end === null) return '';
  if (end.reason !== 0) return reasonName(end.reason);
  return end.grpcStatus === '' ? `http ${end.status}` : `grpc ${end.grpcStatus}`;
}
