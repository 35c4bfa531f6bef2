/**
 * What the control plane wants from NATS, and nothing else: core messages, and key-value buckets with compare-and-set.
 * The use cases know only this; the client library is behind it in control-plane/nats, which is the one folder to change
 * when the library does, and tests put a bus in memory here.
 */
import type { BucketSettings, StreamSettings } from './buckets.ts';
import type { MessageStore } from './message-store.ts';

export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Sequence in the bucket's stream of a republished entry; 0 on other messages. */
  readonly sequence: number;
  /** The republished entry is a deletion. */
  readonly deleted: boolean;
}

export interface Subscription {
  close(): void;
}

export interface Bus {
  isConnected(): boolean;
  /** Called at every change. A subscription lasts over reconnects; what was missed meanwhile must be asked for. */
  onConnection(listener: (connected: boolean) => void): Subscription;
  /** At most once. False when it was dropped because there is no connection. */
  publish(subject: string, data: Uint8Array | string): boolean;
  subscribe(subject: string, onMessage: (message: BusMessage) => void): Subscription;
  request(subject: string, data: Uint8Array | string, timeoutMs: number): Promise<Uint8Array>;
  /** Creates the bucket, or brings an existing one to these settings. */
  ensureBucket(settings: BucketSettings): Promise<BucketState>;
  bucket(name: string): Bucket;
  ensureStream(settings: StreamSettings): Promise<void>;
  messages(stream: string): MessageStore;
  /** Publishes to a stream and waits until it is stored. */
  append(subject: string, data: Uint8Array | string): Promise<void>;
  /** The newest messages of a stream, newest first. */
  recent(stream: string, query: StreamQuery): Promise<StreamPage>;
  /** Sends what is buffered, then ends; never takes longer than `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

export interface StreamQuery {
  /** Other subjects are read past. */
  readonly subjectPrefixes: readonly string[];
  readonly limit: number;
  /** Only messages with a lower number. */
  readonly before: number | undefined;
}

export interface StreamPage {
  readonly messages: readonly {
    readonly sequence: number;
    readonly subject: string;
    readonly data: Uint8Array;
    /** When it was stored; wall time of the server. */
    readonly atMs: number;
  }[];
  /** For what follows; absent when there is nothing more. */
  readonly before?: number;
}

export interface BucketState {
  /** When the bucket was created: another time is another bucket, also under the same name. */
  readonly createdMs: number;
  readonly lastSequence: number;
}

export interface BucketEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** To be given to `update` and `delete`. */
  readonly revision: number;
}

/** Reads are answered by the leader of the stream, so that a read after a write sees it. */
export interface Bucket {
  /** Undefined when the bucket does not exist. */
  state(): Promise<BucketState | undefined>;
  get(key: string): Promise<BucketEntry | undefined>;
  /** Every entry whose key begins with these whole tokens, e.g. `doc`. */
  list(prefix: string): Promise<BucketEntry[]>;
  /** The keys below the prefix, without reading them; deleted ones may be among them. */
  keys(prefix: string): Promise<string[]>;
  /** Answers the new revision. */
  put(key: string, value: Uint8Array | string): Promise<number>;
  /** BusError `conflict` when the key exists. */
  create(key: string, value: Uint8Array | string): Promise<number>;
  /** BusError `conflict` when the key is no longer at `revision`. */
  update(key: string, value: Uint8Array | string, revision: number): Promise<number>;
  delete(key: string, revision?: number): Promise<void>;
  /** Removes a key without leaving a marker; nobody is told. */
  purge(key: string): Promise<void>;
}

/** conflict: compare-and-set lost. full: the bucket's bound. unavailable: no connection, no answer, no JetStream. */
export type BusErrorCode = 'conflict' | 'full' | 'unavailable' | 'failed';

export class BusError extends Error {
  override readonly name = 'BusError';
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function isConflict(error: unknown): boolean {
  return error instanceof BusError && error.code === 'conflict';
}
