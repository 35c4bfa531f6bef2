/**
 * A queue as its consumer sees it: it is asked for messages, hands them over, and hears of each what became of it. The one
 * there is speaks to JetStream (jet-stream-source.ts); one for RabbitMQ (basic.qos, ack, nack) or Kafka (a partition's
 * offset follows the oldest in hand) has the same shape.
 */
export interface QueueMessage {
  readonly body: Buffer;
  /** 1 = it was not handed out before. */
  readonly deliveries: number;
  /** Where it stands in the queue. */
  readonly sequence: number;
  /** '' when it has none of that name. */
  header(name: string): string;
  /** It is done, and gone. */
  ack(): void;
  /** It comes again, to whoever takes it, after so long. */
  again(delayMs: number): void;
  /** It is never handed out again. */
  drop(): void;
  /** Somebody still works on it. */
  busy(): void;
}

export interface QueueSource {
  /** A message of which nothing is heard for so long is handed out again. */
  readonly ackWaitMs: number;
  /** To be set before the first pull; messages may come late, when their pull has ended. */
  onMessage: ((message: QueueMessage) => void) | null;
  /** Asks for so many. Resolves when they are here, or when waiting has an end; false when the queue could not be asked. */
  pull(count: number): Promise<boolean>;
  close(): void;
}
