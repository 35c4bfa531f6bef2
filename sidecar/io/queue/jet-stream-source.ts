/**
 * A durable pull consumer of JetStream as a queue. Every sidecar of a service asks the same consumer, so each message is in
 * one hand at a time. A pull waits at the server; one whose server died is asked anew after its time, or at once when the
 * connection is back.
 */
import type { Bus, BusMessage } from '../control-link/bus.ts';
import { askJetStream, member, pulledFacts } from './jet-stream.ts';
import type { QueueMessage, QueueSource } from './queue-source.ts';

export interface JetStreamSourceOptions {
  readonly bus: Bus;
  readonly stream: string;
  readonly consumer: string;
  /** '' = all of the stream. */
  readonly subject: string;
  readonly ackWaitMs: number;
  /** Handed out and not settled, of all sidecars: also those that wait for their next delivery. */
  readonly ackPendingMax: number;
  /** The consumer may be somebody else's, who has set it up as he likes; one that is not there is made. */
  readonly isOthers: boolean;
}

/** How long a pull waits at the server. */
const pullWaitMs = 5000;
/** For what the server says when the wait is over. */
const graceMs = 1000;
/** Pulls of all sidecars that may wait at once. */
const waitingMax = 8192;

/** Until somebody else's consumer has said how long it waits. */
const unknownAckWaitMs = 300;

let sources = 0;

export class JetStreamSource implements QueueSource {
  ackWaitMs: number;
  onMessage: ((message: QueueMessage) => void) | null = null;
  private readonly options: JetStreamSourceOptions;
  private readonly inbox: string;
  private isMade = false;
  private pulls = 0;
  /** Of the pull that is under way. */
  private expected = 0;
  private endPull: ((isAsked: boolean) => void) | null = null;
  private isClosed = false;

  constructor(options: JetStreamSourceOptions) {
    this.options = options;
    this.ackWaitMs = options.isOthers ? unknownAckWaitMs : options.ackWaitMs;
    sources++;
    this.inbox = `${options.bus.inbox}.queue${sources}`;
    options.bus.subscribe(`${this.inbox}.*`, (message) => this.onReply(message));
    options.bus.onConnected(() => {
      this.isMade = false;
      this.endPull?.(true);
    });
  }

  async pull(count: number): Promise<boolean> {
    const { bus, stream, consumer } = this.options;
    if (!bus.connected || this.isClosed) return false;
    try {
      if (!this.isMade) await this.make();
    } catch {
      return false;
    }
    this.expected = count;
    this.pulls++;
    const ended = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => this.endPull?.(true), pullWaitMs + graceMs);
      this.endPull = (isAsked) => {
        clearTimeout(timer);
        this.endPull = null;
        resolve(isAsked);
      };
    });
    const question = JSON.stringify({ batch: count, expires: pullWaitMs * 1e6 });
    bus.publishTo(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
      Buffer.from(question),
      `${this.inbox}.${this.pulls}`,
    );
    return ended;
  }

  close(): void {
    this.isClosed = true;
    this.endPull?.(false);
  }

  private onReply(message: BusMessage): void {
    if (message.status !== 0) {
      if (message.status === 100 || !message.subject.endsWith(`.${this.pulls}`)) return;
      // 404 and 408: nothing more now. Else the consumer is gone, or cannot be asked.
      const isOver = message.status === 404 || message.status === 408;
      if (!isOver) this.isMade = false;
      return this.endPull?.(isOver);
    }
    const facts = pulledFacts(message);
    if (facts === undefined) return;
    this.expected--;
    if (this.isClosed || this.onMessage === null) this.settle(message, '-NAK');
    else this.onMessage(this.messageOf(message, facts.deliveries, facts.sequence));
    if (this.expected <= 0) this.endPull?.(true);
  }

  private messageOf(message: BusMessage, deliveries: number, sequence: number): QueueMessage {
    return {
      body: Buffer.from(message.bytes),
      deliveries,
      sequence,
      header: (name) => message.header(name),
      ack: () => this.settle(message, '+ACK'),
      again: (delayMs) => this.settle(message, `-NAK {"delay": ${Math.round(delayMs) * 1_000_000}}`),
      drop: () => this.settle(message, '+TERM'),
      busy: () => this.settle(message, '+WPI'),
    };
  }

  /** One that gets lost comes again: at least once. */
  private settle({ reply }: BusMessage, word: string): void {
    this.options.bus.publishTo(reply, Buffer.from(word), '');
  }

  private async make(): Promise<void> {
    if (!this.options.isOthers || !(await this.adopt())) await this.create();
    this.isMade = true;
  }

  private async adopt(): Promise<boolean> {
    const { bus, stream, consumer } = this.options;
    const found = await askJetStream(bus, `CONSUMER.INFO.${stream}.${consumer}`, {}).catch(() => undefined);
    const ackWaitNs = member(member(found, 'config'), 'ack_wait');
    if (typeof ackWaitNs !== 'number') return false;
    this.ackWaitMs = ackWaitNs / 1e6;
    return true;
  }

  private async create(): Promise<void> {
    const { bus, stream, consumer, subject, ackWaitMs, ackPendingMax } = this.options;
    this.ackWaitMs = ackWaitMs;
    // With the filter in the subject, permissions at NATS can confine a service to what is meant for it.
    const call =
      subject === ''
        ? `CONSUMER.DURABLE.CREATE.${stream}.${consumer}`
        : `CONSUMER.CREATE.${stream}.${consumer}.${subject}`;
    await askJetStream(bus, call, {
      stream_name: stream,
      config: {
        ...(subject === '' ? {} : { name: consumer }),
        durable_name: consumer,
        ack_policy: 'explicit',
        deliver_policy: 'all',
        replay_policy: 'instant',
        ack_wait: ackWaitMs * 1e6,
        max_deliver: -1,
        max_ack_pending: ackPendingMax,
        max_waiting: waitingMax,
        ...(subject === '' ? {} : { filter_subject: subject }),
      },
    });
  }
}
