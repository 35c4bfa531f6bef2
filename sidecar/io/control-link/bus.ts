/**
 * The little of NATS that the control link uses. Moving to another client, or testing without a server, changes one
 * implementation and nothing else.
 */
export interface BusMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Answers a request; nothing happens when the message was none. */
  respond(bytes: Uint8Array): void;
}

export interface Bus {
  readonly connected: boolean;
  /** At most once; dropped while there is no connection, because state is sent in full after each reconnect. */
  publish(subject: string, bytes: Uint8Array): void;
  /** Stands through reconnects, for as long as the bus. */
  subscribe(subject: string, onMessage: (message: BusMessage) => void): void;
  /** The last value under a key of a bucket; null when there is none. Rejects when it could not be asked. */
  lastValue(bucket: string, key: string): Promise<Uint8Array | null>;
  close(): Promise<void>;
}
