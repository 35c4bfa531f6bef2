/** The bus in memory, for use cases without a nats-server: buckets with compare-and-set, and streams that remember. */
import type { BucketSettings, StreamSettings } from '../../control-plane/service/buckets.ts';
import {
  type Bucket,
  type BucketEntry,
  type BucketState,
  type Bus,
  BusError,
  type BusMessage,
  type StreamPage,
  type Subscription,
} from '../../control-plane/service/bus.ts';

import type { MessageStore } from '../../control-plane/service/message-store.ts';

export class MemoryBucket implements Bucket {
  readonly entries = new Map<string, { value: Uint8Array; revision: number }>();
  createdMs = 1;
  sequence = 0;
  reads = 0;

  async state(): Promise<BucketState> {
    return { createdMs: this.createdMs, lastSequence: this.sequence };
  }

  async get(key: string): Promise<BucketEntry | undefined> {
    this.reads++;
    const entry = this.entries.get(key);
    return entry && { key, ...entry };
  }

  async list(prefix: string): Promise<BucketEntry[]> {
    return [...this.entries].flatMap(([key, entry]) => (key.startsWith(`${prefix}.`) ? [{ key, ...entry }] : []));
  }

  async keys(prefix: string): Promise<string[]> {
    return (await this.list(prefix)).map(({ key }) => key);
  }

  async put(key: string, value: Uint8Array | string): Promise<number> {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    this.entries.set(key, { value: bytes, revision: ++this.sequence });
    return this.sequence;
  }

  async create(key: string, value: Uint8Array | string): Promise<number> {
    return this.update(key, value, 0);
  }

  async update(key: string, value: Uint8Array | string, revision: number): Promise<number> {
    if ((this.entries.get(key)?.revision ?? 0) !== revision) throw new BusError('conflict', 'somebody was faster');
    return this.put(key, value);
  }

  async delete(key: string): Promise<void> {
    this.sequence++;
    this.entries.delete(key);
  }

  async purge(key: string): Promise<void> {
    this.entries.delete(key);
  }
}

export class MemoryBus implements Bus {
  readonly buckets = new Map<string, MemoryBucket>();
  readonly appended: { readonly subject: string; readonly text: string }[] = [];
  connected = true;

  isConnected(): boolean {
    return this.connected;
  }

  onConnection(): Subscription {
    return { close() {} };
  }

  publish(): boolean {
    return this.connected;
  }

  subscribe(_subject: string, _onMessage: (message: BusMessage) => void): Subscription {
    return { close() {} };
  }

  async request(): Promise<Uint8Array> {
    throw new BusError('unavailable', 'nobody answers');
  }

  async ensureBucket({ name }: BucketSettings): Promise<BucketState> {
    return this.bucket(name).state();
  }

  bucket(name: string): MemoryBucket {
    const known = this.buckets.get(name) ?? new MemoryBucket();
    this.buckets.set(name, known);
    return known;
  }

  async ensureStream(_settings: StreamSettings): Promise<void> {}

  async append(subject: string, data: Uint8Array | string): Promise<void> {
    this.appended.push({ subject, text: typeof data === 'string' ? data : new TextDecoder().decode(data) });
  }

  messages(name: string): MessageStore {
    throw new Error(`there is no stream ${name} here`);
  }

  async recent(): Promise<StreamPage> {
    return { messages: [] };
  }

  async close(): Promise<void> {}
}
