/** The control plane's end of the wire, as far as the control link needs one: the buckets, and all that sidecars say. */
import { createHash } from 'node:crypto';
import { connect, type KV, type NatsConnection } from 'nats';
import {
  type Ack,
  decodeAck,
  decodeCommandReply,
  decodeHeartbeat,
  decodeReport,
  encodeCommand,
  encodeEndpoints,
  encodeGrant,
  encodeVerdict,
  type Grant,
  type Heartbeat,
  type Identity,
  type Report,
  type Verdict,
} from '../../proto/fleet.ts';
import { type Bundle, bundleHashInput } from '../../proto/policy/bundle.ts';
import { buckets, keys, parseServiceKey, republish, type ServiceName, subjects } from '../../proto/subjects.ts';

export interface HeardReport {
  readonly report: Report;
  readonly subject: string;
  readonly atMs: number;
}

export class ControlRoom {
  readonly connection: NatsConnection;
  readonly heartbeats: Heartbeat[] = [];
  readonly reports: HeardReport[] = [];
  readonly acks: Ack[] = [];
  onReport: (report: Report) => void = () => {};
  private readonly policy: KV;
  private readonly endpoints: KV;

  private constructor(connection: NatsConnection, policy: KV, endpoints: KV) {
    this.connection = connection;
    this.policy = policy;
    this.endpoints = endpoints;
    this.hear(subjects.heartbeatAll, decodeHeartbeat, (heartbeat) => this.heartbeats.push(heartbeat));
    this.hear(subjects.ackAll, decodeAck, (ack) => this.acks.push(ack));
    this.hear(subjects.reportAll, decodeReport, (report, subject) => {
      this.reports.push({ report, subject, atMs: performance.now() });
      this.onReport(report);
    });
  }

  static async open(url: string): Promise<ControlRoom> {
    const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    const views = connection.jetstream().views;
    const policy = await views.kv(buckets.policy, {
      history: 1,
      republish: { src: `$KV.${buckets.policy}.>`, dest: republish.policy },
    });
    const endpoints = await views.kv(buckets.endpoints, {
      history: 1,
      republish: { src: `$KV.${buckets.endpoints}.>`, dest: republish.endpoints },
    });
    await connection.flush();
    return new ControlRoom(connection, policy, endpoints);
  }

  async putBundle(bundle: Bundle): Promise<void> {
    await this.putPolicyText(bundle.target, JSON.stringify(bundle));
  }

  async putPolicyText(target: string, text: string): Promise<void> {
    await this.policy.put(keys.bundle(named(target)), text);
  }

  /** Past the store: what a subscriber hears, and nobody can read back. */
  push(target: string, text: string): void {
    this.connection.publish(subjects.bundle(named(target)), text);
  }

  async putEndpoints(service: string, epoch: string, version: number, addresses: readonly string[]): Promise<void> {
    const endpoints = addresses.map((address, index) => ({ instance: `${index}`, address, zone: '', draining: false }));
    await this.endpoints.put(keys.endpoints(named(service)), encodeEndpoints({ service, epoch, version, endpoints }));
  }

  publishVerdict(verdict: Verdict): void {
    this.connection.publish(subjects.verdict(named(verdict.target)), encodeVerdict(verdict));
  }

  publishGrant({ to, ...grant }: { to: Identity } & Pick<Grant, 'answersSeq' | 'epoch' | 'tokens'>): void {
    this.connection.publish(subjects.grant(to, to.instance), encodeGrant({ ...grant, incarnation: to.incarnation }));
  }

  async command(to: ServiceName & { instance: string }, name: string, mustUnderstand: readonly string[] = []) {
    const subject = subjects.command(to, to.instance);
    const reply = await this.connection.request(subject, encodeCommand({ name, mustUnderstand }), { timeout: 2000 });
    return decodeCommandReply(reply.data);
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private hear<T>(
    subject: string,
    decode: (bytes: Uint8Array) => T | undefined,
    take: (message: T, subject: string) => void,
  ) {
    this.connection.subscribe(subject, {
      callback: (error, message) => {
        const decoded = error ? undefined : decode(message.data);
        if (decoded) take(decoded, message.subject);
      },
    });
  }
}

export function makeBundle(bundle: Partial<Bundle> & { target: string }): Bundle {
  const whole = {
    v: 1,
    epoch: '0000000000000001',
    version: 1,
    hash: '',
    stable: null,
    candidate: null,
    percent: 0,
    salt: '',
    sources: [],
    overridden: [],
    mustUnderstand: [],
    ...bundle,
  };
  return { ...whole, hash: createHash('sha256').update(bundleHashInput(whole)).digest('hex').slice(0, 16) };
}

function named(key: string): ServiceName {
  const name = parseServiceKey(key);
  if (!name) throw new RangeError(`${key} is not <namespace>/<service>`);
  return name;
}
