/**
 * What the queue demo is made of: a nats-server with the queue, two consumers with a sidecar each that feeds it, and an
 * intake whose sidecar can limit it. Consumers and intake are in this process, so that a job's wait is read from one clock.
 */
import { createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import { connect, DiscardPolicy, type JetStreamClient, type NatsConnection, RetentionPolicy } from 'nats';
import { type NatsServerProcess, startNatsServer } from '../../control-plane/cli/nats-server.ts';
import { nodeFlags } from './node-flags.ts';
import type { Child, Processes } from './processes.ts';
import { portOf, QueueWorker, workers } from './queue-worker.ts';
import { packageRoot } from './shop.ts';

const stream = 'JOBS';
const subject = 'jobs.new';
const startTimeoutMs = 15_000;

export interface QueueBounds {
  /** Jobs that may wait. */
  readonly messagesMax: number;
  /** What goes at the bound: the oldest, or what comes. */
  readonly drops: 'oldest' | 'newest';
}

export interface Feed {
  readonly worker: QueueWorker;
  readonly child: Child;
  readonly admin: string;
}

/** What became of a job that was handed in. */
export type Handed = 'taken' | 'refused' | 'held';

export class QueueRig {
  readonly feeds: Feed[] = [];
  private readonly processes: Processes;
  private readonly nats: NatsServerProcess;
  private readonly connection: NatsConnection;
  private readonly jetStream: JetStreamClient;
  private readonly intakeServer: Server;
  private intake = '';

  private constructor(processes: Processes, nats: NatsServerProcess, connection: NatsConnection, intake: Server) {
    this.processes = processes;
    this.nats = nats;
    this.connection = connection;
    this.jetStream = connection.jetstream({ timeout: 2000 });
    this.intakeServer = intake;
  }

  static async start(processes: Processes, dataDir: string): Promise<QueueRig> {
    const nats = await startNatsServer({ dir: join(dataDir, 'nats') });
    const connection = await connect({ servers: nats.url });
    const server = createServer();
    const rig = new QueueRig(processes, nats, connection, server);
    const manager = await connection.jetstreamManager();
    await manager.streams.add({ name: stream, subjects: ['jobs.>'], retention: RetentionPolicy.Workqueue });
    server.on('request', (incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', async () => {
        const handed = await rig.publish(Buffer.concat(chunks).toString());
        response.writeHead(handed === 'taken' ? 202 : 503).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await rig.addFeed();
    return rig;
  }

  /** Another consumer with a sidecar; all of them take from the one queue. */
  async addFeed(): Promise<void> {
    const worker = await QueueWorker.start();
    const name = `consumer-${this.feeds.length + 1}`;
    const child = this.sidecar(name, [
      ...['--service', 'demo/consumer', '--app', worker.address],
      ...['--policy', join(packageRoot(), 'deploy/local/policies/consumer.yaml')],
      ...['--consume', `jetstream:${stream}/workers`, '--consume-to', 'http:/jobs', '--consume-max', String(workers)],
    ]);
    const line = await child.listening(startTimeoutMs);
    this.feeds.push({ worker, child, admin: String(line.admin) });
  }

  async removeFeed(): Promise<void> {
    const feed = this.feeds.pop();
    await feed?.child.stop();
    feed?.worker.stop();
  }

  /** The intake behind a sidecar with a rate limit. */
  async startIntake(): Promise<void> {
    const child = this.sidecar('intake', [
      ...['--service', 'demo/intake', '--app', `127.0.0.1:${portOf(this.intakeServer.address())}`],
      ...['--policy', join(packageRoot(), 'deploy/local/policies/intake.yaml')],
    ]);
    this.intake = String((await child.listening(startTimeoutMs)).inbound);
  }

  /** Straight into the queue. */
  async publish(body: string): Promise<Handed> {
    try {
      await this.jetStream.publish(subject, body);
      return 'taken';
    } catch {
      return 'refused';
    }
  }

  /** Through the intake. */
  async handIn(body: string): Promise<Handed> {
    const status = await post(this.intake, '/', body);
    return status === 202 ? 'taken' : 'refused';
  }

  /** As the pressure of an app. */
  async say(pressure: object): Promise<void> {
    await post(this.feeds[0]!.admin, '/v1/pressure', JSON.stringify(pressure), 'PUT');
  }

  async bound({ messagesMax, drops }: QueueBounds): Promise<void> {
    const manager = await this.connection.jetstreamManager();
    const discard = drops === 'oldest' ? DiscardPolicy.Old : DiscardPolicy.New;
    await manager.streams.update(stream, { max_msgs: messagesMax, discard });
  }

  async waiting(): Promise<number> {
    const manager = await this.connection.jetstreamManager();
    return (await manager.streams.info(stream)).state.messages;
  }

  /** Nothing waits, nothing is bounded. */
  async clear(): Promise<void> {
    await this.bound({ messagesMax: -1, drops: 'newest' });
    const manager = await this.connection.jetstreamManager();
    await manager.streams.purge(stream);
    for (const { worker } of this.feeds) await worker.clear();
  }

  async stop(): Promise<void> {
    await this.processes.stop();
    for (const { worker } of this.feeds) worker.stop();
    this.intakeServer.close();
    this.intakeServer.closeAllConnections();
    await this.connection.close();
    await this.nats.stop();
  }

  private sidecar(name: string, args: readonly string[]): Child {
    const doors = ['inbound', 'outbound', 'health', 'metrics', 'admin'].flatMap((door) => [`--${door}`, '127.0.0.1:0']);
    return this.processes.spawn({
      name,
      command: process.execPath,
      args: [
        ...nodeFlags,
        join(packageRoot(), 'dist/bundle/sidecar.js'),
        ...doors,
        ...['--instance', name, '--nats', this.nats.url, '--log-format', 'json', '--drain-timeout', '1s'],
        ...args,
      ],
      tier: 1,
    });
  }
}

/** The status; 0 = there was no answer. */
export function post(address: string, path: string, body: string, method = 'POST'): Promise<number> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const outgoing = request({ host, port, path, method, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', () => resolve(0));
    outgoing.end(body);
  });
}
