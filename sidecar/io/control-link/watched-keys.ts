/**
 * Keys of the store that are followed by two ways at once: a core subscription, which is fast but may miss a message,
 * and reads, which are slow but complete: at first use, after each connect, and every half a minute. A KV watch alone
 * would stay silent for ever when its bucket is wiped and made anew.
 */
import { jitter, type Random } from '../../../proto/kernel/random.ts';
import type { Bus } from './bus.ts';
import type { Log } from './mesh.ts';

export type Origin = 'pushed' | 'read';

export interface WatchedKey {
  readonly bucket: string;
  readonly key: string;
  /** Where the store republishes it. */
  readonly subject: string;
  readonly onValue: (bytes: Uint8Array, origin: Origin) => void;
}

const reconcileMs = 30_000;
const reconcileJitterShare = 0.5;
/** After a reconnect all sidecars read at once: let them not. The subscription is live meanwhile. */
const reconnectSpreadMs = 1000;
const retryMs = 1000;
const readsAtOnce = 4;

export class WatchedKeys {
  private readonly bus: Bus;
  private readonly random: Random;
  private readonly log: Log;
  private readonly keys: WatchedKey[] = [];
  private readonly toRead = new Set<WatchedKey>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private reading = 0;
  private connects = 0;
  private reconcile: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(bus: Bus, random: Random, log: Log) {
    this.bus = bus;
    this.random = random;
    this.log = log;
    this.armReconcile();
  }

  watch(key: WatchedKey): void {
    this.keys.push(key);
    // An empty message is the republished mark of a deleted key: nothing to obey.
    this.bus.subscribe(key.subject, ({ bytes }) => {
      if (bytes.length > 0) key.onValue(bytes, 'pushed');
    });
    if (this.bus.connected) this.read([key]);
  }

  onConnect(): void {
    const spreadMs = this.connects++ === 0 ? 0 : reconnectSpreadMs * this.random.next();
    this.later(spreadMs, () => this.readAll());
  }

  readAll(): void {
    this.read(this.keys);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.reconcile);
    for (const timer of this.timers) clearTimeout(timer);
    this.toRead.clear();
  }

  private read(keys: readonly WatchedKey[]): void {
    for (const key of keys) this.toRead.add(key);
    while (this.reading < readsAtOnce && this.toRead.size > 0) {
      this.reading++;
      void this.drainReads();
    }
  }

  private async drainReads(): Promise<void> {
    for (const key of this.toRead) {
      this.toRead.delete(key);
      if (!this.bus.connected) continue; // The next connect reads everything.
      try {
        const bytes = await this.bus.lastValue(key.bucket, key.key);
        if (bytes && bytes.length > 0 && !this.closed) key.onValue(bytes, 'read');
      } catch (error) {
        this.log('debug', 'could not read a key, trying again', { key: key.key, reason: String(error) });
        this.later(jitter(retryMs, 0.5, this.random), () => this.read([key]));
      }
    }
    this.reading--;
  }

  private armReconcile(): void {
    this.reconcile = setTimeout(
      () => {
        this.readAll();
        this.armReconcile();
      },
      jitter(reconcileMs, reconcileJitterShare, this.random),
    );
  }

  private later(ms: number, act: () => void): void {
    if (this.closed) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, ms);
    this.timers.add(timer);
  }
}
