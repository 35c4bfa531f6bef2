/**
 * The little of NATS that the control link uses. Moving to another client, or testing without a server, changes one
 * implementation and nothing else.
 */
export interface BusMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Where an answer is expected; '' = nowhere. */
  readonly reply: string;
  /** What NATS itself says by a message without content (503: nobody listens, 408: a pull has ended …); 0 = nothing. */
  readonly status: number;
  /** '' when it has none of that name. */
  header(name: string): string;
  /** Answers a request; nothing happens when the message was none. */
  respond(bytes: Uint8Array): void;
}

export interface RequestOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface Bus {
  readonly connected: boolean;
  /** At most once; dropped while there is no connection, because state is sent in full after each reconnect. */
  publish(subject: string, bytes: Uint8Array): void;
  /** The same, to somebody who is asked to answer at `reply`; with '', to nobody. */
  publishTo(subject: string, bytes: Uint8Array, reply: string): void;
  /** One answer, or a rejection in time. */
  request(subject: string, bytes: Uint8Array, options: RequestOptions): Promise<BusMessage>;
  /** Subjects that begin so are ours alone. */
  readonly inbox: string;
  /** After each connection from now on. */
  onConnected(callback: () => void): void;
  /** Stands through reconnects, for as long as the bus. */
  subscribe(subject: string, onMessage: (message: BusMessage) => void): void;
  /** The last value under a key of a bucket; null when there is none. Rejects when it could not be asked. */
  lastValue(bucket: string, key: string): Promise<Uint8Array | null>;
  close(): Promise<void>;
}
