/**
 * Writes where each service can be reached into its bucket, which republishes it to every caller. Only who leads it does,
 * debounced: a rollout of twenty instances is a few writes, not twenty.
 *
 * Silence is evidence against an instance only when we could have heard it: for a while after we began to listen, or
 * had been cut off ourselves, nobody is withdrawn. Else the restart of a control plane would empty every service.
 */
import { decodeEndpoints, type Endpoint, encodeEndpoints } from '../../proto/fleet.ts';
import type { Log } from '../../proto/kernel/log-format.ts';
import { formatEpoch } from '../../proto/policy/bundle.ts';
import { keys, parseServiceKey, serviceKey } from '../../proto/subjects.ts';
import { endpointsFingerprint } from '../fleet/endpoint-sets.ts';
import { endpointsBucket } from './buckets.ts';
import { type Bucket, type Bus, isConflict } from './bus.ts';
import type { TargetLeadership } from './leadership.ts';

export const debounceMs = 100;
/** Three missed heartbeats of a sidecar that beats once a second, and its jitter. */
export const listeningGraceMs = 5_000;

interface Published {
  readonly endpoints: readonly Endpoint[];
  readonly fingerprint: string;
  readonly version: number;
  readonly kvRevision: number;
}

export interface EndpointServiceOptions {
  readonly bus: Bus;
  readonly replicas: number;
  readonly log: Log;
  readonly endpointsOf: (service: string, nowMs: number) => Endpoint[];
  readonly services: () => readonly string[];
  readonly leadership: TargetLeadership;
}

export class EndpointService {
  private readonly options: EndpointServiceOptions;
  private readonly bucket: Bucket;
  private readonly published = new Map<string, Published>();
  private readonly dirty = new Map<string, number>();
  private createdMs = 0;
  private listeningSinceMs = Number.POSITIVE_INFINITY;
  private writing = false;

  constructor(options: EndpointServiceOptions) {
    this.options = options;
    this.bucket = options.bus.bucket(endpointsBucket(options.replicas).name);
  }

  /** From here on heartbeats arrive. */
  onListening(nowMs: number): void {
    this.listeningSinceMs = nowMs;
  }

  onSilence(): void {
    this.listeningSinceMs = Number.POSITIVE_INFINITY;
  }

  /** Something about the service's instances changed. */
  mark(service: string, nowMs: number): void {
    this.dirty.set(service, Math.min(this.dirty.get(service) ?? Number.POSITIVE_INFINITY, nowMs + debounceMs));
  }

  /** At start, at every reconnect, when leadership begins and now and then: reads what is published. */
  async sync(nowMs: number): Promise<void> {
    const { bus, replicas, services } = this.options;
    const state = (await this.bucket.state()) ?? (await bus.ensureBucket(endpointsBucket(replicas)));
    if (state.createdMs !== this.createdMs) await bus.ensureBucket(endpointsBucket(replicas));
    this.createdMs = state.createdMs;
    this.published.clear();
    for (const { key, value, revision } of await this.bucket.list('*')) {
      const known = decodeEndpoints(value);
      if (!known || !parseServiceKey(known.service) || key !== known.service.replace('/', '.')) continue;
      this.published.set(known.service, {
        endpoints: known.endpoints,
        fingerprint: endpointsFingerprint(known.endpoints),
        version: known.version,
        kvRevision: revision,
      });
    }
    for (const service of [...services(), ...this.published.keys()]) this.mark(service, nowMs);
  }

  /** Every few ms: writes what is due of the services led. Who begins to lead one syncs first, and that marks it. */
  async tick(nowMs: number): Promise<void> {
    if (this.writing || this.createdMs === 0) return;
    this.writing = true;
    try {
      for (const [service, dueMs] of this.dirty) {
        if (nowMs < dueMs) continue;
        this.dirty.delete(service);
        if (!this.options.leadership.leads(service)) continue;
        await this.write(service, nowMs).catch((error: unknown) => {
          this.mark(service, nowMs + 1_000);
          throw error;
        });
      }
    } finally {
      this.writing = false;
    }
  }

  private async write(service: string, nowMs: number): Promise<void> {
    const name = parseServiceKey(service);
    if (!name) return;
    const known = this.published.get(service);
    const endpoints = this.options.endpointsOf(service, nowMs);
    const inGrace =
      nowMs - this.listeningSinceMs < listeningGraceMs || this.listeningSinceMs === Number.POSITIVE_INFINITY;
    if (inGrace && known) {
      const heard = new Set(endpoints.map(({ instance }) => instance));
      const unheard = known.endpoints.filter(({ instance }) => !heard.has(instance));
      if (unheard.length > 0) this.mark(service, Math.max(nowMs, this.listeningSinceMs) + listeningGraceMs);
      endpoints.push(...unheard);
      endpoints.sort((a, b) => (a.instance < b.instance ? -1 : 1));
    }
    const fingerprint = endpointsFingerprint(endpoints);
    if (known ? known.fingerprint === fingerprint : endpoints.length === 0) return;
    const version = (known?.version ?? 0) + 1;
    const message = { service: serviceKey(name), epoch: formatEpoch(this.createdMs), version, endpoints };
    const value = encodeEndpoints(message);
    const key = keys.endpoints(name);
    try {
      const kvRevision = known
        ? await this.bucket.update(key, value, known.kvRevision)
        : await this.bucket.create(key, value);
      this.published.set(service, { endpoints, fingerprint, version, kvRevision });
      this.options.log.info('endpoints published', { service, version, endpoints: endpoints.length });
    } catch (error) {
      if (!isConflict(error)) throw error;
      // A former leader's last write: read it and decide again.
      const entry = await this.bucket.get(key);
      const current = entry && decodeEndpoints(entry.value);
      if (entry && current) {
        this.published.set(service, {
          endpoints: current.endpoints,
          fingerprint: endpointsFingerprint(current.endpoints),
          version: current.version,
          kvRevision: entry.revision,
        });
      } else this.published.delete(service);
      this.mark(service, nowMs);
    }
  }
}
