/** Dead letters of the own service: what is stored in WEIR_DLQ, and how an end is told there. */
import type { Log } from '../../../proto/kernel/log-format.ts';
import { type DeathReason, encodeParked, type ParkedRequest, parkedHeader } from '../../../proto/parked.ts';
import { reasonName } from '../../../proto/reasons.ts';
import { type ServiceName, serviceKey, streams } from '../../../proto/subjects.ts';
import type { DeliveryEnd } from '../../exchange/delivery.ts';
import type { Bus } from '../control-link/bus.ts';
import { publishConfirmed } from './jet-stream.ts';
import type { QueueMessage } from './queue-source.ts';

export interface LettersOptions {
  readonly bus: Bus;
  readonly service: ServiceName;
  readonly instance: string;
  readonly log: Log;
}

export class Letters {
  private readonly options: LettersOptions;

  constructor(options: LettersOptions) {
    this.options = options;
  }

  /** False: it is not stored, and must stay where it is. */
  async store(
    message: QueueMessage,
    parked: ParkedRequest,
    reason: DeathReason,
    end: DeliveryEnd | null,
  ): Promise<boolean> {
    const { bus, service, instance, log } = this.options;
    const { deliveries, sequence, body } = message;
    const death = { reason, answer: answerOf(end), deliveries, atMs: Date.now(), instance };
    const headers = {
      [parkedHeader]: encodeParked({ ...parked, death }),
      // Of this place in the queue: one that is redriven, and dies again, is another.
      'Nats-Msg-Id': `dead-${parked.reference}-${sequence}`,
    };
    const result = await publishConfirmed(bus, streams.deadSubject(service), body, headers);
    const { reference } = parked;
    if (result === 'stored') log.warn('a message is dead', { reference, ...death });
    else log.error('a dead letter was not stored, and stays in its queue', { reference, result });
    return result === 'stored';
  }
}

/** A request made of a message that is none. */
export function requestMadeOf({ service }: LettersOptions, reference: string): ParkedRequest {
  return {
    v: 1,
    reference,
    target: serviceKey(service),
    from: '',
    reason: '',
    parkedAtMs: Date.now(),
    isGrpc: false,
    httpVersion: 1,
    method: 'POST',
    scheme: 'http',
    authority: service.service,
    path: '/',
    headers: [],
    deliveriesMax: 8,
    backoffBaseMs: 1000,
    backoffMaxMs: 60_000,
    ageMaxMs: 24 * 3_600_000,
  };
}

function answerOf(end: DeliveryEnd | null): string {
  if (end === null) return '';
  if (end.reason !== 0) return reasonName(end.reason);
  return end.grpcStatus === '' ? `http ${end.status}` : `grpc ${end.grpcStatus}`;
}
