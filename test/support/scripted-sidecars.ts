/**
 * Many sidecars as the control plane hears them, over one connection to a real nats-server: each takes bundles, answers
 * and obeys them as it is told to, and counts requests that nobody sends.
 */
import { connect, type NatsConnection } from 'nats';
import { decodeCommand, encodeAck, encodeCommandReply, encodeHeartbeat } from '../../proto/fleet.ts';
import type { Applied, Identity } from '../../proto/fleet-messages.ts';
import { chooseSpec, parseBundle } from '../../proto/policy/bundle.ts';
import type { PolicySpec } from '../../proto/policy/schema.ts';
import { serviceKey, subjects } from '../../proto/subjects.ts';

export interface Behaviour {
  /** Why it refuses the bundle; '' = it obeys. */
  refusal(instance: string, spec: PolicySpec | null): string;
  /** Of 10 requests in each beat, how many it rejects and how many fail. */
  outcome(instance: string, spec: PolicySpec | null): { readonly rejected: number; readonly failed: number };
  /** What it answers to a command. */
  command?(instance: string, name: string, json: string): { ok: boolean; message: string; json: string };
}

const requestsPerBeat = 10;
const beatMs = 100;

class Sidecar {
  readonly identity: Identity;
  spec: PolicySpec | null = null;
  applied: Applied | null = null;
  seq = 0;
  success = 0;
  failure = 0;
  rejected = 0;

  constructor(namespace: string, service: string, instance: string) {
    this.identity = { namespace, service, instance, incarnation: `${instance}-1`, zone: '', version: 'test' };
  }
}

export class ScriptedSidecars {
  readonly sidecars: readonly Sidecar[];
  behaviour: Behaviour;
  private readonly connection: NatsConnection;
  private readonly timer: NodeJS.Timeout;

  private constructor(connection: NatsConnection, sidecars: readonly Sidecar[], behaviour: Behaviour) {
    this.connection = connection;
    this.sidecars = sidecars;
    this.behaviour = behaviour;
    const service = sidecars[0]!.identity;
    connection.subscribe(subjects.bundle(service), {
      callback: (_, { data }) => this.take(new TextDecoder().decode(data)),
    });
    for (const one of sidecars) {
      const { instance } = one.identity;
      connection.subscribe(subjects.command(one.identity, instance), {
        callback: (_, message) => {
          const command = decodeCommand(message.data);
          const reply = command && this.behaviour.command?.(instance, command.name, command.json);
          message.respond(encodeCommandReply(reply ?? { ok: false, message: 'no such command', json: '' }));
        },
      });
    }
    this.timer = setInterval(() => this.beat(), beatMs);
    this.beat();
  }

  static async start(url: string, service: string, count: number, behaviour: Behaviour): Promise<ScriptedSidecars> {
    const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    const sidecars = Array.from({ length: count }, (_, i) => new Sidecar('shop', service, `${service}-${i}`));
    return new ScriptedSidecars(connection, sidecars, behaviour);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.connection.close();
  }

  private take(text: string): void {
    const parsed = text === '' ? undefined : parseBundle(JSON.parse(text));
    if (!parsed?.ok) return;
    const { target, epoch, version, hash } = parsed.bundle;
    for (const one of this.sidecars) {
      const { instance } = one.identity;
      const spec = chooseSpec(parsed.bundle, instance);
      const message = this.behaviour.refusal(instance, spec);
      if (message === '') one.spec = spec;
      one.applied = { target, epoch, version, hash, status: message === '' ? 'applied' : 'rejected', message };
      const ack = encodeAck({ identity: one.identity, applied: one.applied });
      this.connection.publish(subjects.ack(one.identity, instance), ack);
    }
  }

  private beat(): void {
    for (const one of this.sidecars) {
      const { rejected, failed } = this.behaviour.outcome(one.identity.instance, one.spec);
      one.rejected += rejected;
      one.failure += failed;
      one.success += requestsPerBeat - rejected - failed;
      const bytes = encodeHeartbeat({
        identity: one.identity,
        seq: ++one.seq,
        intervalMs: 1000,
        policies: one.applied ? [one.applied] : [],
        traffic: [
          {
            direction: 'inbound',
            peer: serviceKey(one.identity),
            requests: one.success + one.failure + one.rejected,
            success: one.success,
            failure: one.failure,
            rejected: { concurrency: one.rejected },
          },
        ],
      });
      this.connection.publish(subjects.heartbeat(one.identity, one.identity.instance), bytes);
    }
  }
}
