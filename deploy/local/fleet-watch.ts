/**
 * Listens on NATS to what the mesh says to itself, so that the check measures when something happened rather than when
 * an API happened to be asked: acknowledgements of policies, and verdicts about the breaker of `payments`.
 */
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { loadSync } from '@grpc/proto-loader';
import { connect, type NatsConnection } from 'nats';
import { subjects } from '../../proto/subjects.ts';
import { packageRoot } from './shop.ts';
import { namespace } from './topology.ts';

export interface AckSeen {
  readonly instance: string;
  readonly target: string;
  readonly version: number;
  readonly status: string;
  readonly atMs: number;
}

export interface VerdictSeen {
  readonly state: string;
  readonly evidence: string;
  readonly atMs: number;
}

/** Far more than a check produces; the oldest go first. */
const acksMax = 10_000;

export class FleetWatch {
  readonly acks: AckSeen[] = [];
  private readonly connection: NatsConnection;
  private readonly onVerdicts = new Set<(verdict: VerdictSeen) => void>();

  private constructor(connection: NatsConnection) {
    this.connection = connection;
  }

  static async open(natsUrl: string): Promise<FleetWatch> {
    const connection = await connect({ servers: natsUrl, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
    const watch = new FleetWatch(connection);
    connection.subscribe(subjects.ackAll, {
      callback: (error, message) => {
        if (error === null) watch.hearAck(decode('Beat', message.data));
      },
    });
    connection.subscribe(subjects.verdict({ namespace, service: 'payments' }), {
      callback: (error, message) => {
        if (error === null) watch.hearVerdict(decode('Judge', message.data));
      },
    });
    await connection.flush();
    return watch;
  }

  /** Calls `listener` for every verdict about `payments`; the answer ends that. */
  onVerdict(listener: (verdict: VerdictSeen) => void): () => void {
    this.onVerdicts.add(listener);
    return () => this.onVerdicts.delete(listener);
  }

  /** When the last of `instances` acknowledged a version above `version`; undefined while one is missing. */
  lastAckMs(options: { target: string; aboveVersion: number; instances: readonly string[] }): number | undefined {
    let lastMs = 0;
    for (const instance of options.instances) {
      const ack = this.acks.find(
        (seen) =>
          seen.instance === instance &&
          seen.target === options.target &&
          seen.version > options.aboveVersion &&
          seen.status === 'applied',
      );
      if (ack === undefined) return undefined;
      lastMs = Math.max(lastMs, ack.atMs);
    }
    return lastMs;
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private hearAck(message: object): void {
    const identity = child(message, 'identity');
    const applied = child(message, 'applied');
    if (this.acks.length === acksMax) this.acks.shift();
    this.acks.push({
      instance: String(field(identity, 'instance')),
      target: String(field(applied, 'target')),
      version: Number(field(applied, 'version')),
      status: String(field(applied, 'status')),
      atMs: performance.now(),
    });
  }

  private hearVerdict(message: object): void {
    const verdict = {
      state: String(field(message, 'state')),
      evidence: String(field(child(message, 'evidence'), 'text')),
      atMs: performance.now(),
    };
    for (const listener of this.onVerdicts) listener(verdict);
  }
}

const definitions = loadSync(join(packageRoot(), 'proto/weir/v1/fleet.proto'), {
  keepCase: true,
  longs: Number,
  defaults: true,
});

/** An Ack is the answer type of Fleet.Beat, a Verdict the question type of Fleet.Judge. */
function decode(method: 'Beat' | 'Judge', bytes: Uint8Array): object {
  const fleet = definitions['weir.v1.Fleet'];
  if (fleet === undefined || 'format' in fleet) throw new Error('fleet.proto has no service Fleet');
  const definition = fleet[method];
  if (definition === undefined) throw new Error(`fleet.proto has no method ${method}`);
  return method === 'Beat'
    ? definition.responseDeserialize(Buffer.from(bytes))
    : definition.requestDeserialize(Buffer.from(bytes));
}

function field(message: object, name: string): unknown {
  return Object.entries(message).find(([key]) => key === name)?.[1];
}

function child(message: object, name: string): object {
  const value = field(message, name);
  return typeof value === 'object' && value !== null ? value : {};
}
