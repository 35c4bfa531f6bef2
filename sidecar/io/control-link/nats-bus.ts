/**
 * The bus over `nats`. It connects in the background and for ever: the client's own defaults give up after ten tries
 * and drop what was not sent, so whoever uses the bus sends its full state at `onConnect`. The client is imported only
 * when there is a server to talk to, so that a standalone sidecar never loads it.
 */
import { readFileSync } from 'node:fs';
import type { Msg, NatsConnection } from 'nats';
import { jitter, type Random } from '../../../proto/kernel/random.ts';
import { type NatsAccess, natsAuthenticator } from '../../../proto/nats-access.ts';
import type { Bus, BusMessage, RequestOptions } from './bus.ts';
import type { Log } from './mesh.ts';

export interface NatsBusOptions extends NatsAccess {
  readonly name: string;
  readonly inboxPrefix: string;
  readonly random: Random;
  readonly log: Log;
  /** After the first connection and after each reconnection. */
  readonly onConnect: () => void;
}

type Nats = typeof import('nats');

const reconnectWaitMs = 250;
const reconnectJitterMs = 250;
const connectTimeoutMs = 5000;
const requestTimeoutMs = 2000;
const closeTimeoutMs = 1000;
/** A dead peer that sends no FIN is noticed after two of these. */
const pingIntervalMs = 5000;

export class NatsBus implements Bus {
  private readonly options: NatsBusOptions;
  readonly inbox: string;
  private readonly connectListeners: (() => void)[] = [];
  private readonly subscriptions: { subject: string; onMessage: (message: BusMessage) => void }[] = [];
  private nats: Nats | null = null;
  private connection: NatsConnection | null = null;
  private up = false;
  private closing = false;
  private wake: (() => void) | null = null;
  private readonly running: Promise<void>;

  constructor(options: NatsBusOptions) {
    this.options = options;
    this.inbox = options.inboxPrefix;
    this.running = this.run();
  }

  get connected(): boolean {
    return this.up;
  }

  publish(subject: string, bytes: Uint8Array): void {
    this.publishTo(subject, bytes, '');
  }

  publishTo(subject: string, bytes: Uint8Array, reply: string): void {
    const { connection } = this;
    if (!connection || !this.up || connection.isClosed()) return;
    const bytesMax = connection.info?.max_payload ?? 0;
    if (bytes.length > bytesMax) {
      this.options.log('error', 'a message is too long for NATS', { subject, bytes: bytes.length, bytesMax });
      return;
    }
    connection.publish(subject, bytes, reply === '' ? {} : { reply });
  }

  async request(subject: string, bytes: Uint8Array, { headers, timeoutMs }: RequestOptions): Promise<BusMessage> {
    const { connection, nats } = this;
    if (!connection || !nats || !this.up) throw new Error(`not connected to NATS: ${subject} was not asked`);
    const fields = nats.headers();
    for (const [name, value] of Object.entries(headers)) fields.set(name, value);
    return toBusMessage(await connection.request(subject, bytes, { timeout: timeoutMs, headers: fields }));
  }

  onConnected(callback: () => void): void {
    this.connectListeners.push(callback);
  }

  subscribe(subject: string, onMessage: (message: BusMessage) => void): void {
    this.subscriptions.push({ subject, onMessage });
    if (this.connection && !this.connection.isClosed()) listen(this.connection, subject, onMessage);
  }

  async lastValue(bucket: string, key: string): Promise<Uint8Array | null> {
    const { connection, nats } = this;
    if (!connection || !nats || !this.up) throw new Error(`not connected to NATS: ${bucket} ${key} was not read`);
    const subject = `$KV.${bucket}.${key}`;
    // Nobody answers while the bucket does not exist: that rejects, and the caller asks again.
    const reply = await connection.request(`$JS.API.DIRECT.GET.KV_${bucket}.${subject}`, undefined, {
      timeout: requestTimeoutMs,
    });
    if (reply.headers?.code === 404) return null;
    if (reply.headers && reply.headers.code >= 400) throw new Error(`${subject}: ${reply.headers.description}`);
    return reply.headers?.get('KV-Operation') ? null : reply.data;
  }

  async close(): Promise<void> {
    this.closing = true;
    this.wake?.();
    const { connection } = this;
    if (connection && !connection.isClosed()) {
      if (this.up) await within(closeTimeoutMs, connection.flush());
      await within(closeTimeoutMs, connection.close());
    }
    await within(closeTimeoutMs, this.running);
  }

  private async run(): Promise<void> {
    const { log } = this.options;
    let complained = '';
    while (!this.closing) {
      try {
        this.nats ??= await import('nats');
        this.connection = await this.connect(this.nats);
        complained = '';
        await this.serve(this.connection);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        // Once per reason: a server that is away for an hour is one line.
        if (reason !== complained) log('warn', 'no connection to NATS, trying for ever', { reason });
        complained = reason;
      }
      this.up = false;
      if (!this.closing) await this.pause(jitter(reconnectWaitMs + reconnectJitterMs / 2, 1 / 3, this.options.random));
    }
  }

  private connect(nats: Nats): Promise<NatsConnection> {
    const { servers, credential, tls, name, inboxPrefix } = this.options;
    const authenticator = natsAuthenticator(credential, nats, (file) => readFileSync(file, 'utf8'));
    return nats.connect({
      servers: [...servers],
      name,
      inboxPrefix,
      timeout: connectTimeoutMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: reconnectWaitMs,
      reconnectJitter: reconnectJitterMs,
      reconnectJitterTLS: reconnectJitterMs,
      pingInterval: pingIntervalMs,
      ignoreAuthErrorAbort: true,
      ...(authenticator ? { authenticator } : {}),
      ...(tls ? { tls } : {}),
    });
  }

  /** Until the connection is closed for good. */
  private async serve(connection: NatsConnection): Promise<void> {
    const { log, onConnect } = this.options;
    if (this.closing) return connection.close();
    for (const { subject, onMessage } of this.subscriptions) listen(connection, subject, onMessage);
    const begin = (message: string): void => {
      this.up = true;
      log('info', message, { server: connection.getServer() });
      onConnect();
      for (const callback of this.connectListeners) callback();
    };
    begin('connected to NATS');
    for await (const status of connection.status()) {
      if (this.closing) break;
      if (status.type === 'disconnect') {
        if (this.up) log('warn', 'lost the connection to NATS, keeping everything as it is', {});
        this.up = false;
      } else if (status.type === 'reconnect') {
        begin('connected to NATS again');
      } else if (status.type === 'error') {
        log('warn', 'NATS refused something', { reason: String(status.data), ...status.permissionContext });
      }
    }
    await connection.closed();
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function listen(connection: NatsConnection, subject: string, onMessage: (message: BusMessage) => void): void {
  connection.subscribe(subject, {
    callback: (error, message) => {
      if (error) return;
      onMessage(toBusMessage(message));
    },
  });
}

function toBusMessage(message: Msg): BusMessage {
  const { subject, data, headers } = message;
  return {
    subject,
    bytes: data,
    reply: message.reply ?? '',
    status: headers?.code ?? 0,
    header: (name) => headers?.get(name) ?? '',
    respond: (bytes) => void message.respond(bytes),
  };
}

/** A wait that ends: what takes longer is left behind, and its failure is nobody's business any more. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise.catch(() => undefined), late]);
  clearTimeout(timer);
}
