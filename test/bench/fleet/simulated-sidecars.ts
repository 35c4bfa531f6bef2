/**
 * Ten thousand sidecars as the control plane hears them, for the price of one process: each has its messages encoded
 * once, and only their sequence number is written anew. They share a few connections, but each has its own subscription
 * to its policy, so that nats-server sends as many copies as it would to real ones.
 */
import { connect, type NatsConnection } from 'nats';
import { decodeVerdict, encodeAck, encodeHeartbeat, encodeReport, type Identity } from '../../../proto/fleet.ts';
import { jitter, XorShift32 } from '../../../proto/kernel/random.ts';
import { buckets, keys, shardOf, subjects } from '../../../proto/subjects.ts';

export const sharedTarget = { namespace: 'bench', service: 'payments' };
const targetKey = 'bench/payments';
const perService = 100;
const sidecarsPerConnection = 1_000;
const tickMs = 10;
/** From here on a sequence number always takes five bytes. */
const firstSeq = 2 ** 29;

interface Patched {
  readonly bytes: Uint8Array;
  readonly seqAt: number;
}

interface SimulatedSidecar {
  readonly identity: Identity;
  readonly connection: NatsConnection;
  readonly heartbeatSubject: string;
  readonly reportSubject: string;
  heartbeat: Patched | null;
  readonly report: Patched;
  seq: number;
  heartbeatAtMs: number;
  reportAtMs: number;
  version: number;
  epoch: string;
  hash: string;
}

export interface GeneratorOptions {
  readonly url: string;
  readonly sidecars: number;
  readonly reportIntervalMs: number;
}

export class SimulatedSidecars {
  /** Share of the policies pushed that does not arrive. */
  lossShare = 0;
  reportIntervalMs: number;
  /** What the leader asks for, which may be less often. */
  private askedIntervalMs = 0;
  sent = 0;
  readonly appliedAtMs: number[] = [];
  private readonly random = new XorShift32(1);
  private readonly sidecars: SimulatedSidecar[] = [];
  private readonly connections: NatsConnection[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(reportIntervalMs: number) {
    this.reportIntervalMs = reportIntervalMs;
  }

  async start({ url, sidecars }: GeneratorOptions): Promise<void> {
    for (let index = 0; index < sidecars; index++) {
      if (index % sidecarsPerConnection === 0) this.connections.push(await connect({ servers: url }));
      const connection = this.connections.at(-1)!;
      this.add(index, connection);
    }
    this.connections[0]?.subscribe(subjects.verdict(sharedTarget), {
      callback: (error, message) => {
        if (!error) this.askedIntervalMs = decodeVerdict(message.data)?.reportEveryMs ?? 0;
      },
    });
    await Promise.all(this.connections.map((connection) => connection.flush()));
    this.timer = setInterval(() => this.tick(), tickMs);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.connections.map((connection) => connection.close()));
  }

  /** How many obey this version or a later one. */
  applied(version: number): number {
    return this.sidecars.filter((sidecar) => sidecar.version >= version).length;
  }

  private add(index: number, connection: NatsConnection): void {
    const service = `caller-${Math.floor(index / perService)}`;
    const identity: Identity = {
      namespace: 'bench',
      service,
      instance: `${service}-${index % perService}`,
      incarnation: `incarnation-${index}`,
      zone: `zone-${index % 3}`,
      version: '0.1.0',
    };
    const nowMs = performance.now();
    const sidecar: SimulatedSidecar = {
      identity,
      connection,
      heartbeatSubject: subjects.heartbeat(identity, identity.instance),
      reportSubject: subjects.report(shardOf(targetKey), identity, identity.instance),
      heartbeat: null,
      report: patched((seq) =>
        encodeReport({
          identity,
          seq,
          intervalMs: 1000,
          targets: [{ target: targetKey, generation: 0, n: 20, fail: 0, demand: 20, latencyMeanMs: 3.5 }],
        }),
      ),
      seq: firstSeq,
      heartbeatAtMs: nowMs + 1000 * this.random.next(),
      reportAtMs: nowMs + this.reportIntervalMs * this.random.next(),
      version: 0,
      epoch: '',
      hash: '',
    };
    this.sidecars.push(sidecar);
    connection.subscribe(subjects.bundle(sharedTarget), {
      callback: (error, message) => {
        if (!error && this.random.next() >= this.lossShare) this.apply(sidecar, message.data);
      },
    });
    connection.subscribe(subjects.command(identity, identity.instance), {
      callback: (error) => {
        if (!error && this.random.next() >= this.lossShare) void this.resync(sidecar);
      },
    });
  }

  private async resync(sidecar: SimulatedSidecar): Promise<void> {
    const key = `$KV.${buckets.policy}.${keys.bundle(sharedTarget)}`;
    const reply = await sidecar.connection.request(`$JS.API.DIRECT.GET.KV_${buckets.policy}.${key}`).catch(() => null);
    if (reply && reply.data.length > 0) this.apply(sidecar, reply.data);
  }

  private apply(sidecar: SimulatedSidecar, data: Uint8Array): void {
    const { epoch, version, hash } = bundleHead(data);
    const { identity, connection } = sidecar;
    if (version > sidecar.version) {
      sidecar.version = version;
      this.appliedAtMs.push(performance.now());
      // Encoded when it is due: ten thousand at once would hold up what is measured.
      sidecar.heartbeat = null;
      sidecar.epoch = epoch;
      sidecar.hash = hash;
    }
    const applied = { target: targetKey, epoch, version: sidecar.version, hash, status: 'applied' };
    connection.publish(subjects.ack(identity, identity.instance), encodeAck({ identity, applied }));
  }

  private tick(): void {
    const nowMs = performance.now();
    const reportIntervalMs = Math.max(this.reportIntervalMs, this.askedIntervalMs);
    for (const sidecar of this.sidecars) {
      if (nowMs >= sidecar.heartbeatAtMs) {
        sidecar.heartbeat ??= heartbeat(sidecar.identity, sidecar.version, sidecar.epoch, sidecar.hash);
        this.send(sidecar, sidecar.heartbeatSubject, sidecar.heartbeat);
        sidecar.heartbeatAtMs = next(sidecar.heartbeatAtMs, jitter(1000, 0.2, this.random), nowMs);
      }
      if (nowMs >= sidecar.reportAtMs) {
        this.send(sidecar, sidecar.reportSubject, sidecar.report);
        sidecar.reportAtMs = next(sidecar.reportAtMs, jitter(reportIntervalMs, 0.2, this.random), nowMs);
      }
    }
  }

  private send(sidecar: SimulatedSidecar, subject: string, { bytes, seqAt }: Patched): void {
    writeSeq(bytes, seqAt, ++sidecar.seq);
    sidecar.connection.publish(subject, bytes);
    this.sent++;
  }
}

/** A generator that fell behind does not catch up in a burst. */
function next(dueAtMs: number, intervalMs: number, nowMs: number): number {
  return Math.max(dueAtMs + intervalMs, nowMs - intervalMs);
}

function heartbeat(identity: Identity, version: number, epoch: string, hash: string): Patched {
  const latencyBuckets = Array.from({ length: 24 }, (_, index) => (index % 2 === 0 ? 40 + index : 1000 + index));
  const traffic = {
    requests: 100_000,
    success: 99_990,
    failure: 10,
    latencyBuckets,
    inFlight: 3,
    concurrencyLimit: 20,
    queueDepth: 0,
  };
  const own = `${identity.namespace}/${identity.service}`;
  const status = 'applied';
  const policies = version === 0 ? [] : [{ target: targetKey, epoch, version, hash, status, message: '' }];
  return patched((seq) =>
    encodeHeartbeat({
      identity,
      seq,
      address: '10.1.2.3:15006',
      intervalMs: 1000,
      policies,
      traffic: [
        { ...traffic, direction: 'inbound', peer: own },
        { ...traffic, direction: 'outbound', peer: targetKey },
      ],
      breakers: [{ target: targetKey, local: 'closed', fleet: 'closed', generation: 0, ageMs: 1234 }],
      process: { rssBytes: 7e7, heapBytes: 2e7, loopLagMs: 1, connections: 12, streams: 40, uptimeMs: 1e6 },
    }),
  );
}

function patched(encode: (seq: number) => Uint8Array): Patched {
  const bytes = encode(firstSeq);
  const other = encode(firstSeq + 1);
  const seqAt = bytes.findIndex((byte, index) => byte !== other[index]);
  return { bytes, seqAt };
}

function writeSeq(bytes: Uint8Array, at: number, seq: number): void {
  for (let index = 0, left = seq; index < 5; index++, left = Math.floor(left / 128)) {
    bytes[at + index] = (left % 128) + (index < 4 ? 128 : 0);
  }
}

interface BundleHead {
  readonly epoch: string;
  readonly version: number;
  readonly hash: string;
}

/** All copies of a bundle are the same bytes: read once. */
let lastText = '';
let lastHead: BundleHead = { epoch: '', version: 0, hash: '' };
function bundleHead(data: Uint8Array): BundleHead {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
  if (text === lastText) return lastHead;
  lastText = text;
  lastHead = JSON.parse(text);
  return lastHead;
}
