/**
 * The Bus over the `nats` client. Buckets are spoken to as the streams they are, not through the client's KV view:
 * the view creates buckets without our bounds, and may read from a replica, which is no ground for compare-and-set.
 *
 * Never gives up: the first connection is sought in the background, and every later one is retried for ever.
 */
import { readFileSync } from 'node:fs';
import * as nats from 'nats';
import {
  DiscardPolicy,
  Empty,
  Events,
  type JetStreamClient,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats';
import type { Log } from '../../proto/kernel/log-format.ts';
import { type NatsAccess, natsAuthenticator } from '../../proto/nats-access.ts';
import type { BucketSettings, StreamSettings } from '../service/buckets.ts';
import type { Bucket, BucketState, Bus, BusMessage, StreamPage, StreamQuery, Subscription } from '../service/bus.ts';
import { BusError } from '../service/bus.ts';
import type { MessageStore } from '../service/message-store.ts';
import { type JetStream, NatsBucket, requestTimeoutMs, type StoreListener, stateOf } from './nats-bucket.ts';
import { busError, isNotFound } from './nats-errors.ts';
import { NatsMessages } from './nats-messages.ts';
import { recentMessages } from './recent-messages.ts';

export interface NatsBusOptions {
  readonly access: NatsAccess;
  readonly name: string;
  readonly inboxPrefix: string;
  readonly log: Log;
  /** A read or write of the store has ended. */
  readonly onStore?: StoreListener;
}

/** With the jitter below half a second, so that everything is back well within 5 s of the server. */
const reconnectWaitMs = 250;
const logEveryMs = 5_000;

interface Listening {
  readonly subject: string;
  readonly onMessage: (message: BusMessage) => void;
  count: number;
  stop: (() => void) | undefined;
}

export class NatsBus implements Bus {
  private readonly options: NatsBusOptions;
  private readonly listening = new Set<Listening>();
  private readonly connectionListeners = new Set<(connected: boolean) => void>();
  private connection: NatsConnection | undefined;
  private connected = false;
  private closing = false;
  /** Times that the connection was lost. */
  lost = 0;
  private retry: NodeJS.Timeout | undefined;
  private loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: NatsBusOptions) {
    this.options = options;
    void this.connect();
  }

  /** Messages heard, by kind: the second token of their subject. */
  heard(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { subject, count } of this.listening) {
      const kind = subject.split('.')[1] ?? '';
      counts.set(kind, (counts.get(kind) ?? 0) + count);
    }
    return counts;
  }

  isConnected(): boolean {
    return this.connected;
  }

  onConnection(listener: (connected: boolean) => void): Subscription {
    this.connectionListeners.add(listener);
    return { close: () => this.connectionListeners.delete(listener) };
  }

  publish(subject: string, data: Uint8Array | string): boolean {
    if (!this.connection || !this.connected || this.closing) return false;
    try {
      this.connection.publish(subject, data);
      return true;
    } catch (error) {
      this.options.log.warn('message was not published', { subject, error });
      return false;
    }
  }

  subscribe(subject: string, onMessage: (message: BusMessage) => void): Subscription {
    const listening: Listening = { subject, onMessage, count: 0, stop: undefined };
    this.listening.add(listening);
    if (this.connection) this.listen(this.connection, listening);
    return {
      close: () => {
        this.listening.delete(listening);
        listening.stop?.();
      },
    };
  }

  async request(subject: string, data: Uint8Array | string, timeoutMs: number): Promise<Uint8Array> {
    const connection = this.live();
    return attempt(async () => (await connection.request(subject, data, { timeout: timeoutMs })).data);
  }

  async ensureBucket(settings: BucketSettings): Promise<BucketState> {
    const config: Partial<StreamConfig> & { name: string } = {
      name: `KV_${settings.name}`,
      subjects: [`$KV.${settings.name}.>`],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      num_replicas: settings.replicas,
      max_msgs_per_subject: 1,
      max_bytes: settings.bytesMax,
      max_msg_size: settings.valueBytesMax,
      discard: DiscardPolicy.New,
      allow_direct: settings.allowDirect,
      allow_rollup_hdrs: true,
      deny_delete: true,
      ...(settings.republishTo === undefined
        ? {}
        : { republish: { src: `$KV.${settings.name}.>`, dest: settings.republishTo } }),
    };
    return this.ensure(config);
  }

  bucket(name: string): Bucket {
    return new NatsBucket(name, () => this.jetStream(), this.options.onStore);
  }

  messages(stream: string): MessageStore {
    return new NatsMessages(stream, () => this.jetStream());
  }

  async ensureStream(settings: StreamSettings): Promise<void> {
    await this.ensure({
      name: settings.name,
      subjects: [...settings.subjects],
      retention: settings.queue?.isWorkQueue ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
      storage: StorageType.File,
      num_replicas: settings.replicas,
      max_bytes: settings.bytesMax,
      max_age: settings.ageMaxMs * 1_000_000,
      ...(settings.queue === null
        ? { discard: DiscardPolicy.Old }
        : {
            discard: DiscardPolicy.New,
            discard_new_per_subject: true,
            max_msgs: settings.queue.messagesMax,
            max_msgs_per_subject: settings.queue.messagesPerSubjectMax,
            max_msg_size: settings.queue.messageBytesMax,
          }),
    });
  }

  async append(subject: string, data: Uint8Array | string): Promise<void> {
    const connection = this.live();
    await attempt(() => jetstreamOf(connection).publish(subject, data, { timeout: requestTimeoutMs }));
  }

  async recent(stream: string, query: StreamQuery): Promise<StreamPage> {
    const { manager } = await this.manager();
    return attempt(() => recentMessages(manager, stream, query));
  }

  async close(timeoutMs: number): Promise<void> {
    this.closing = true;
    clearTimeout(this.retry);
    const { connection } = this;
    if (!connection) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    const drained = this.connected ? connection.drain().catch(() => {}) : Promise.resolve();
    await Promise.race([drained, late]);
    clearTimeout(timer);
    await Promise.race([
      connection.close().catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 200).unref()),
    ]);
  }

  private async connect(): Promise<void> {
    const { access, name, inboxPrefix } = this.options;
    try {
      const authenticator = natsAuthenticator(access.credential, nats, (file) => readFileSync(file, 'utf8'));
      const connection = await nats.connect({
        servers: [...access.servers],
        name,
        inboxPrefix,
        ...(authenticator ? { authenticator } : {}),
        ...(access.tls ? { tls: access.tls } : {}),
        // The first connection is retried by us: a pending one could not be given up at the end.
        waitOnFirstConnect: false,
        maxReconnectAttempts: -1,
        // A token that is being rotated is wrong for a while, not for ever.
        ignoreAuthErrorAbort: true,
        reconnectTimeWait: reconnectWaitMs,
        reconnectJitter: 200,
        timeout: 2_000,
        pingInterval: 2_000,
        maxPingOut: 2,
        noAsyncTraces: true,
      });
      if (this.closing) return await connection.close();
      this.connection = connection;
      for (const listening of this.listening) this.listen(connection, listening);
      this.setConnected(true, connection.getServer());
      void this.watchStatus(connection);
      connection.closed().then((error) => {
        this.setConnected(false);
        if (!this.closing) this.again(error instanceof Error ? error : new Error('the connection was closed'));
      });
    } catch (error) {
      this.again(error);
    }
  }

  /** Also a connection that the client gives up for good is only one of many to us. */
  private again(error: unknown): void {
    this.connection = undefined;
    if (this.closing) return;
    const nowMs = performance.now();
    if (nowMs - this.loggedAtMs > logEveryMs) {
      this.loggedAtMs = nowMs;
      this.options.log.warn('no connection to NATS; trying again', { servers: this.options.access.servers, error });
    }
    this.retry = setTimeout(() => void this.connect(), reconnectWaitMs);
  }

  private async watchStatus(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect) this.setConnected(false);
      else if (status.type === Events.Reconnect) this.setConnected(true, connection.getServer());
      else if (status.type === Events.Error)
        this.options.log.warn('NATS error', { error: String(status.data), ...status.permissionContext });
    }
  }

  private setConnected(connected: boolean, server?: string): void {
    if (this.connected === connected) return;
    this.connected = connected;
    if (!connected) this.lost++;
    if (connected) this.options.log.info('connected to NATS', { server });
    else if (!this.closing) this.options.log.warn('connection to NATS lost; trying again until it is back');
    for (const listener of this.connectionListeners) listener(connected);
  }

  private listen(connection: NatsConnection, listening: Listening): void {
    const subscription = connection.subscribe(listening.subject, {
      callback: (error, message) => {
        listening.count++;
        if (error) return this.options.log.warn('subscription failed', { subject: listening.subject, error });
        try {
          listening.onMessage(toBusMessage(message));
        } catch (thrown) {
          this.options.log.error('a message was not handled', { subject: message.subject, error: thrown });
        }
      },
    });
    listening.stop = () => subscription.unsubscribe();
  }

  private live(): NatsConnection {
    if (!this.connection || !this.connected) throw new BusError('unavailable', 'not connected to NATS');
    return this.connection;
  }

  private async jetStream(): Promise<JetStream> {
    const { connection, manager } = await this.manager();
    return { manager, jetstream: jetstreamOf(connection) };
  }

  private async manager(): Promise<{ connection: NatsConnection; manager: JetStreamManager }> {
    const connection = this.live();
    const manager = await connection.jetstreamManager({ timeout: requestTimeoutMs, checkAPI: false });
    return { connection, manager };
  }

  private async ensure(config: Partial<StreamConfig> & { name: string }): Promise<BucketState> {
    const { manager } = await this.manager();
    return attempt(async () => {
      const existing = await manager.streams.info(config.name).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (!existing) return stateOf(await manager.streams.add(config));
      // How many copies there are is the operator's to change.
      const wanted = { ...config, num_replicas: existing.config.num_replicas };
      if (matches(existing.config, wanted)) return stateOf(existing);
      return stateOf(await manager.streams.update(config.name, wanted));
    });
  }
}

const jetstreamOf = (connection: NatsConnection): JetStreamClient =>
  connection.jetstream({ timeout: requestTimeoutMs });

async function attempt<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw busError(error);
  }
}

/** Whether every wanted setting is as wanted; a server's own additions do not matter. */
function matches(actual: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return actual === wanted;
  if (typeof actual !== 'object' || actual === null) return false;
  return Object.entries(wanted).every(([name, value]) => matches(Reflect.get(actual, name), value));
}

function toBusMessage(message: Msg): BusMessage {
  const sequence = Number(message.headers?.get('Nats-Sequence') || 0);
  const operation = message.headers?.get('KV-Operation');
  return {
    subject: message.subject,
    data: message.data ?? Empty,
    sequence: Number.isSafeInteger(sequence) ? sequence : 0,
    deleted: operation === 'DEL' || operation === 'PURGE',
  };
}
