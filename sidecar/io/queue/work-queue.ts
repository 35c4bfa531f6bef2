/**
 * A sidecar that feeds its app from a work queue: each message is a call of one unary method, or a POST to one path. The
 * app pulls by having room: messages are taken as its concurrency limit, its pressure (`PUT /v1/pressure`) and its answers
 * allow, and wait in the queue otherwise. 2xx or OK acknowledges one; what fails comes again, later; what is not valid, or
 * fails too often, becomes a dead letter of the service.
 */
import type { Random } from '../../../proto/kernel/random.ts';
import type { DeathReason } from '../../../proto/parked.ts';
import { type TierName, tierNames } from '../../../proto/tiers.ts';
import type { DeliveryEnd } from '../../exchange/delivery.ts';
import type { ConsumerConfig } from '../../routing/consumer-options.ts';
import type { DeliveryRequest } from './deliveries.ts';
import { JetStreamSource } from './jet-stream-source.ts';
import { Letters, type LettersOptions, requestMadeOf } from './letters.ts';
import { QueueConsumer, type QueueCounts, type QueueHandler, type Redelivering } from './queue-consumer.ts';
import type { QueueMessage } from './queue-source.ts';

export interface WorkQueueOptions extends LettersOptions {
  readonly config: ConsumerConfig;
  readonly deliver: (request: DeliveryRequest) => Promise<DeliveryEnd>;
  readonly limit: () => number;
  readonly isReady: () => boolean;
  readonly random: Random;
  readonly counts: QueueCounts;
}

const ackWaitMs = 30_000;
/** Handed out and not settled, of all instances: also those that wait for their next delivery. */
const ackPendingMax = 50_000;
const backoff = { baseMs: 1000, maxMs: 60_000 };

/** Of a message's headers, those that its request gets. */
const passedOn = ['content-type', 'traceparent', 'tracestate'] as const;
/** Of gRPC: not compressed, and its length. */
const prefixBytes = 5;

export class WorkQueue implements QueueHandler {
  private readonly options: WorkQueueOptions;
  private readonly letters: Letters;
  private readonly consumer: QueueConsumer;
  private readonly stream: string;
  private readonly path: string;
  private readonly isGrpc: boolean;

  constructor(options: WorkQueueOptions) {
    this.options = options;
    this.letters = new Letters(options);
    const { config, bus } = options;
    const { consume = '', consumeTo = '', consumeMax } = config;
    const [stream = '', consumer = ''] = consume.slice('jetstream:'.length).split('/');
    this.stream = stream;
    this.isGrpc = consumeTo.startsWith('grpc:');
    this.path = consumeTo.slice(consumeTo.indexOf(':') + 1);
    const source = new JetStreamSource({
      bus,
      stream,
      consumer,
      subject: '',
      ackWaitMs,
      ackPendingMax,
      isOthers: true,
    });
    this.consumer = new QueueConsumer({ ...options, source, handler: this, inHandMax: consumeMax });
    options.log.info('feeding the app from a queue', { queue: consume, to: consumeTo });
  }

  get inHandCount(): number {
    return this.consumer.inHandCount;
  }

  close(): void {
    this.consumer.close();
  }

  requestOf(message: QueueMessage): DeliveryRequest {
    const { config, service } = this.options;
    const { isGrpc, path } = this;
    return {
      isGrpc,
      httpVersion: isGrpc ? 2 : 1,
      method: 'POST',
      scheme: 'http',
      authority: service.service,
      path,
      headers: this.headersOf(message),
      body: isGrpc ? framed(message.body) : message.body,
      delivery: message.deliveries,
      tier: tierNamed(config.consumeTier),
      timeoutMs: config.consumeTimeout,
    };
  }

  redelivering(): Redelivering {
    return { deliveriesMax: this.options.config.consumeDeliveries, ...backoff };
  }

  bury(message: QueueMessage, reason: DeathReason, end: DeliveryEnd | null): Promise<boolean> {
    const { isGrpc, path, stream } = this;
    const made = requestMadeOf(this.options, `${stream}-${message.sequence}`);
    const parked = {
      ...made,
      from: stream,
      reason: 'queue',
      isGrpc,
      path,
      httpVersion: isGrpc ? (2 as const) : (1 as const),
      headers: this.headersOf(message),
    };
    // So that it can be sent again like one that was parked.
    return this.letters.store(isGrpc ? { ...message, body: framed(message.body) } : message, parked, reason, end);
  }

  private headersOf(message: QueueMessage): [string, string][] {
    const key = message.header('Nats-Msg-Id');
    const headers: [string, string][] = [['idempotency-key', key === '' ? `${this.stream}-${message.sequence}` : key]];
    for (const name of passedOn) {
      const value = message.header(name);
      if (value !== '' && !(this.isGrpc && name === 'content-type')) headers.push([name, value]);
    }
    if (this.isGrpc) headers.push(['content-type', 'application/grpc']);
    return headers;
  }
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function tierNamed(name: string): TierName {
  return tierNames.find((tier) => tier === name) ?? 'batch';
}
