/**
 * GET /metrics of the control plane, on an address of its own, so that opening it to Prometheus opens nothing else. What
 * happens often is counted in plain numbers and becomes series at the scrape; services and instances are no labels, for
 * those grow with the mesh, but in the few series of quotas and scaling, which are bounded in number.
 */
import { timingSafeEqual } from 'node:crypto';
import fastify, { type FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { defineQuotaMetrics, type QuotaFacts } from './quota-metrics.ts';
import { defineScalingMetrics, type ScalingFacts } from './scaling-metrics.ts';
import { seriesIn } from './series.ts';

/** What a scrape reads; everything is as of now. */
export interface ControlPlaneFacts {
  readonly version: string;
  instances(): { readonly live: number; readonly draining: number; readonly stale: number };
  services(): number;
  policies(): number;
  /** The newest of each policy, by phase. */
  rollouts(): ReadonlyMap<string, number>;
  /** Tokens that are valid now. */
  tokens(): number;
  /** Requests that were denied, for want of a token or of a role. */
  denied(): number;
  groupsLed(): number;
  /** Control planes heard lately, this one included. */
  members(): number;
  isConnected(): boolean;
  /** Times that the connection to NATS was lost. */
  connectionsLost(): number;
  quotas(): Iterable<QuotaFacts>;
  scaling(): Iterable<ScalingFacts>;
  /** Messages heard, by kind. */
  messages(): ReadonlyMap<string, number>;
  /** Of them those that were no such message, or spoke for somebody else. */
  refused(): Readonly<Record<string, number>>;
}

const storeBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const pushBounds = [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

export class ControlPlaneMetrics {
  private readonly registry = new Registry();
  private readonly store: Histogram<'operation' | 'result'>;
  private readonly push: Histogram;

  constructor(facts: ControlPlaneFacts) {
    const registers = [this.registry];
    this.store = new Histogram({
      name: 'weir_control_plane_store_seconds',
      help: 'What reads and writes of the store took.',
      labelNames: ['operation', 'result'],
      buckets: storeBounds,
      registers,
    });
    this.push = new Histogram({
      name: 'weir_control_plane_policy_push_seconds',
      help: 'From when a bundle was new here to when a sidecar said that it took or refused it.',
      buckets: pushBounds,
      registers,
    });
    collectDefaultMetrics({ register: this.registry });
    defineReadings(this.registry, facts);
    defineQuotaMetrics(this.registry, () => facts.quotas());
    defineScalingMetrics(this.registry, () => facts.scaling());
  }

  onStore(operation: string, tookMs: number, ok: boolean): void {
    this.store.observe({ operation, result: ok ? 'ok' : 'failed' }, tookMs / 1000);
  }

  onPush(tookMs: number): void {
    this.push.observe(tookMs / 1000);
  }

  async text(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.registry.contentType, text: await this.registry.metrics() };
  }
}

export function metricsDoor(metrics: ControlPlaneMetrics, token: string | undefined): FastifyInstance {
  const door = fastify({ bodyLimit: 4096, connectionTimeout: 10_000, requestTimeout: 10_000, exposeHeadRoutes: false });
  door.get('/metrics', async (request, reply) => {
    if (token !== undefined && !isSame(request.headers.authorization ?? '', `Bearer ${token}`)) {
      return reply.code(401).header('www-authenticate', 'Bearer').type('text/plain').send('a token is needed\n');
    }
    const { type, text } = await metrics.text();
    return reply.type(type).send(text);
  });
  return door;
}

function defineReadings(registry: Registry, facts: ControlPlaneFacts): void {
  const series = seriesIn(registry);
  const { counter } = series;
  const gauge = (name: string, help: string, read: () => number): void =>
    series.gauge(name, help, [], (into) => into.set(read()));
  series.gauge(
    'weir_control_plane_instances',
    'Sidecars by state; stale ones were not heard for three intervals.',
    ['state'],
    (into) => {
      for (const [state, count] of Object.entries(facts.instances())) into.set({ state }, count);
    },
  );
  gauge('weir_control_plane_services', 'Services with sidecars.', () => facts.services());
  gauge('weir_control_plane_policies', 'Policies in the store.', () => facts.policies());
  series.gauge('weir_control_plane_rollouts', 'Rollouts by phase, the newest of each policy.', ['phase'], (into) => {
    for (const [phase, count] of facts.rollouts()) into.set({ phase }, count);
  });
  gauge('weir_control_plane_access_tokens', 'Access tokens that are valid.', () => facts.tokens());
  counter('weir_control_plane_access_denied_total', 'Requests denied for want of a token or of a role.', [], (set) =>
    set.inc(facts.denied()),
  );
  gauge('weir_control_plane_groups_led', 'Groups of services, of 8, that this control plane leads.', () =>
    facts.groupsLed(),
  );
  gauge('weir_control_plane_members', 'Control planes that live, as far as this one hears.', () => facts.members());
  gauge('weir_control_plane_nats_connected', '1 while NATS is connected.', () => (facts.isConnected() ? 1 : 0));
  counter('weir_control_plane_nats_lost_total', 'Times that the connection to NATS was lost.', [], (set) =>
    set.inc(facts.connectionsLost()),
  );
  counter('weir_control_plane_messages_total', 'Messages heard.', ['kind'], (set) => {
    for (const [kind, count] of facts.messages()) set.inc({ kind }, count);
  });
  counter(
    'weir_control_plane_messages_refused_total',
    'Messages that could not be read, spoke for somebody else, or found no room.',
    ['kind'],
    (set) => {
      for (const [kind, count] of Object.entries(facts.refused())) set.inc({ kind }, count);
    },
  );
  series.gauge('weir_control_plane_build_info', 'Always 1.', ['version'], (into) =>
    into.set({ version: facts.version }, 1),
  );
}

function isSame(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
