/**
 * The control plane, assembled. Everything it does is one of: a message of the mesh, a request to the API, a tick.
 *
 *   NATS ──heartbeats, acks──▶ fleet ──────────▶ api ──▶ dashboard, CLI
 *        ──reports, verdicts─▶ breakers ──▶ verdicts (leader)
 *        ──reports───────────▶ quotas ────▶ leases (leader)
 *        ──policy entries────▶ store ◀── policies ◀── api
 *                              └─▶ bundles published, resent until acknowledged (leader)
 *        ◀─endpoints (leader)── endpoints ◀── fleet
 */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Log } from '../proto/kernel/log-format.ts';
import { formatHostPort, type HostPort, isLoopbackHost } from '../proto/kernel/options.ts';
import { XorShift32 } from '../proto/kernel/random.ts';
import type { Bundle } from '../proto/policy/bundle.ts';
import { controlPlaneInbox, streams, subjects } from '../proto/subjects.ts';
import { Access } from './api/access.ts';
import type { GrpcServer } from './api/grpc-server.ts';
import { ControlPlaneMetrics, metricsDoor } from './api/metrics-door.ts';
import { scalingFacts } from './api/scaling-metrics.ts';
import { createApi } from './api/server.ts';
import type { ControlPlaneConfig } from './config.ts';
import { leaseGroupCount } from './coordination/shard-owners.ts';
import { NatsBus } from './nats/nats-bus.ts';
import { Audit } from './service/audit.ts';
import { AuditLog } from './service/audit-log.ts';
import { BreakerForce } from './service/breaker-force.ts';
import { BreakerService } from './service/breaker-service.ts';
import { deadStream, eventsStream, retryStream } from './service/buckets.ts';
import { BundlePublisher } from './service/bundle-publisher.ts';
import { BundleResender } from './service/bundle-resender.ts';
import type { Bus } from './service/bus.ts';
import type { Clock } from './service/clock.ts';
import { DeadLetters } from './service/dead-letters.ts';
import { EndpointService } from './service/endpoint-service.ts';
import { FleetService } from './service/fleet-service.ts';
import { ImpactService } from './service/impact-service.ts';
import { Leadership } from './service/leadership.ts';
import { PolicyHistory } from './service/policy-history.ts';
import { PolicyService } from './service/policy-service.ts';
import { PolicyStore } from './service/policy-store.ts';
import { QuotaService } from './service/quota-service.ts';
import { Redrives } from './service/redrives.ts';
import { RolloutService } from './service/rollout-service.ts';
import { TokenService } from './service/token-service.ts';
import { Upkeep } from './upkeep.ts';

const leaseTickMs = 25;
const breakerTickMs = 50;
const quotaTickMs = 50;
const redriveTickMs = 100;
const fleetTickMs = 250;
const resendTickMs = 100;
const rolloutTickMs = 500;
const reconcileEveryMs = 3_000;
const retryMs = 500;
/** What a graceful end may take in all. */
const drainMs = 1_000;

export interface ControlPlaneOptions {
  readonly config: ControlPlaneConfig;
  readonly log: Log;
  readonly dashboardFolder: string;
  readonly version: string;
  /** Shows the first token, once; it must not come into a log. */
  readonly onFirstToken: (token: string, expiresAt: string) => void | Promise<void>;
}

export interface ControlPlane {
  /** Where the API really listens. */
  readonly url: string;
  /** Where /metrics is; undefined when nowhere. */
  readonly metricsUrl: string | undefined;
  /** host:port; undefined when it is not asked for. */
  readonly grpcAddress: string | undefined;
  close(): Promise<void>;
}

const clock: Clock = { nowMs: () => performance.now(), wallMs: () => Date.now() };

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { config, log } = options;
  const { id, natsReplicas: replicas } = config;
  const bus = new NatsBus({
    access: config.natsAccess,
    name: `weir-control-plane ${id}`,
    inboxPrefix: controlPlaneInbox(id),
    log,
    onStore: (operation, tookMs, ok) => metrics.onStore(operation, tookMs, ok),
  });
  const incarnation = randomBytes(8).toString('hex');
  const random = new XorShift32(randomInt(1, 2 ** 31));
  const leadership = new Leadership({ bus, replicas, clock, random, log, id, incarnation, onChange: onLeading });
  const resender = new BundleResender(bus, leadership);
  const store = new PolicyStore({
    bus,
    replicas,
    log,
    onBundle(bundle) {
      resender.watch(bundle, clock.nowMs());
      breakers.onBundle(bundle.target);
      quotas.onBundle(bundle, store.isLoaded());
      // What is read at start is no news.
      if (store.isLoaded()) fleet.event('policy', bundle.target, bundleNews(bundle.version, hasPolicy(bundle)));
    },
  });
  const publisher = new BundlePublisher(store, (text) => createHash('sha256').update(text).digest('hex').slice(0, 16));
  const audit = new Audit(bus, log);
  const auditLog = new AuditLog(bus, audit, clock);
  const tokens = new TokenService({
    bus,
    replicas,
    audit,
    clock,
    log,
    randomId: () => randomBytes(6).toString('hex'),
    randomSecret: () => randomBytes(32).toString('base64url'),
    hashOf: (text) => createHash('sha256').update(text).digest('hex'),
  });
  let isFirstSeen = false;
  const policies = new PolicyService({ store, publisher, bus, audit, clock, log });
  const isFleetBreaker = (target: string): boolean => {
    const spec = store.bundles.get(target)?.bundle?.stable;
    const breaker = spec?.outbound?.circuitBreaker;
    return breaker !== undefined && spec?.enforcement !== 'disabled' && breaker.fleet?.enabled !== false;
  };
  const breakers = new BreakerService({
    bus,
    clock,
    random,
    leadership,
    isFleetBreaker,
    onTransition(target, text) {
      log.info('fleet breaker', { target, transition: text });
      fleet.event('breaker', target, text);
    },
  });
  const force = new BreakerForce({ bus, clock, audit, breakers, isFleetBreaker, sleep });
  const quotas = new QuotaService({ bus, clock, leadership });
  const fleet = new FleetService({
    id,
    clock,
    log,
    store,
    fleetBreaker: (target) => breakers.view(target),
    quotas: (target) => quotas.views(target),
    leadership: () => ({ leader: leadership.groups().length > 0, epoch: leadership.epoch() }),
    isConnected: () => bus.isConnected(),
    onEndpointChange: (service) => endpoints.mark(service, clock.nowMs()),
  });
  const endpoints = new EndpointService({
    bus,
    replicas,
    log,
    endpointsOf: (service, nowMs) => fleet.view.endpoints(service, nowMs),
    services: () => fleet.view.services(),
    leadership,
  });

  const letters = new DeadLetters({
    retry: bus.messages(streams.retry),
    dead: bus.messages(streams.dead),
    audit,
    clock,
  });
  const redrives = new Redrives(letters, clock);
  const history = new PolicyHistory(store, policies);
  const rollouts = new RolloutService({
    store,
    policies,
    fleet: fleet.view,
    audit,
    clock,
    leadership,
    onStep(target, text) {
      log.info('rollout', { target, step: text });
      fleet.event('policy', target, text);
    },
  });

  /** Messages that could not be read, or spoke for somebody else. */
  const refused = { hb: 0, ack: 0, rep: 0, brk: 0, slot: 0, force: 0 };
  const metrics = new ControlPlaneMetrics({
    version: options.version,
    instances: () => fleet.view.instanceCounts(clock.nowMs()),
    services: () => fleet.view.services().length,
    policies: () => policies.list().length,
    rollouts: () => rollouts.countByPhase(),
    tokens: () => tokens.validCount,
    denied: () => auditLog.deniedTotal,
    groupsLed: () => leadership.groups().length,
    members: () => leadership.members(),
    isConnected: () => bus.isConnected(),
    connectionsLost: () => bus.lost,
    quotas: () => quotas.all(),
    scaling: () => scalingFacts(fleet),
    messages: () => bus.heard(),
    refused: () => refused,
  });

  const reconciliation = new Upkeep({ name: 'policies', everyMs: reconcileEveryMs, retryMs, log }, () =>
    policies.reconcile(),
  );
  const endpointUpkeep = new Upkeep({ name: 'endpoints', everyMs: 30_000, retryMs, log }, () =>
    endpoints.sync(clock.nowMs()),
  );
  const auditUpkeep = new Upkeep({ name: 'the events stream', everyMs: 10_000, retryMs, log }, async () => {
    await bus.ensureStream(eventsStream(replicas));
    await audit.flush();
  });
  const queueUpkeep = new Upkeep(
    { name: 'the streams of parked requests', everyMs: 10_000, retryMs, log },
    async () => {
      await bus.ensureStream(retryStream(replicas));
      await bus.ensureStream(deadStream(replicas));
    },
  );
  const tokenUpkeep = new Upkeep({ name: 'access tokens', everyMs: 1_000, retryMs, log }, async () => {
    auditLog.tick();
    await tokens.sync();
    if (isFirstSeen || !config.isTokenRequired || config.apiToken !== undefined) return;
    const first = await tokens.first();
    if (first) {
      try {
        await options.onFirstToken(first.token, first.view.expiresAt);
      } catch (error) {
        // Nobody saw it: the next attempt makes another.
        await tokens.revoke(first.view.id, 'nobody could be shown it', false);
        throw error;
      }
    }
    isFirstSeen = true;
  });
  const upkeep = [tokenUpkeep, reconciliation, endpointUpkeep, auditUpkeep, queueUpkeep];

  hear(bus);
  bus.onConnection((connected) => {
    if (connected) {
      endpoints.onListening(clock.nowMs());
      bus.publish(subjects.rollCall, '');
    } else endpoints.onSilence();
    for (const each of upkeep) each.setPossible(connected);
    fleet.event('leader', '', connected ? `${id} connected to NATS` : `${id} lost NATS`);
  });

  function onLeading(groups: readonly number[]): void {
    const text =
      groups.length === 0 ? 'leads nothing' : `leads ${groups.length} of ${leaseGroupCount} groups of services`;
    log.info(groups.length > 0 ? 'leading' : 'no longer leading', {
      groups: groups.join(' '),
      epoch: leadership.epoch(),
    });
    fleet.event('leader', '', `${id} ${text}`);
    if (groups.length > 0) endpointUpkeep.soon();
  }

  const timers = [
    setInterval(() => leadership.tick(), leaseTickMs),
    setInterval(() => redrives.tick(), redriveTickMs),
    setInterval(() => {
      breakers.tick();
      if (!bus.isConnected()) return;
      endpoints.tick(clock.nowMs()).catch((error: unknown) => log.warn('endpoints not published', { error }));
    }, breakerTickMs),
    setInterval(() => quotas.tick(), quotaTickMs),
    setInterval(() => fleet.tick(), fleetTickMs),
    setInterval(() => {
      const again = resender.tick(clock.nowMs(), (bundle) =>
        fleet.view.behind(bundle.target, { ...bundle, hasPolicy: hasPolicy(bundle) }, clock.nowMs()),
      );
      for (const { target, version } of again) log.info('bundle published again', { target, version });
    }, resendTickMs),
    setInterval(() => {
      rollouts.tick().catch((error: unknown) => log.warn('a rollout could not be driven', { error }));
    }, rolloutTickMs),
  ];

  /** Listens to the mesh; the subscriptions last over every reconnect. */
  function hear(on: Bus): void {
    on.subscribe(subjects.heartbeatAll, (message) => {
      const heartbeat = fleet.onHeartbeat(message);
      if (heartbeat) breakers.onHeartbeat(heartbeat.identity);
      else refused.hb++;
    });
    on.subscribe(subjects.ackAll, (message) => {
      const applied = fleet.onAck(message)?.applied;
      if (!applied) return void refused.ack++;
      const ageMs = resender.ageMs(applied.target, applied.version, clock.nowMs());
      if (ageMs !== undefined) metrics.onPush(ageMs);
    });
    on.subscribe(subjects.reportAll, (message) => {
      const report = breakers.onReport(message);
      if (report) quotas.onReport(report);
      else refused.rep++;
    });
    on.subscribe(subjects.verdictAll, ({ data }) => {
      if (!breakers.onVerdict(data)) refused.brk++;
    });
    on.subscribe(subjects.forceAll, (message) => {
      if (!force.onMessage(message)) refused.force++;
    });
    on.subscribe(subjects.slotAll, (message) => {
      if (!breakers.onSlotResult(message)) refused.slot++;
    });
    on.subscribe('weir.pol.>', (message) => {
      const target = store.onMessage(message);
      if (target === undefined) return;
      policies.publish(target).catch((error: unknown) => log.warn('to be reconciled', { target, error }));
    });
  }

  const access = new Access({
    token: config.apiToken,
    tokens,
    isRequired: config.isTokenRequired,
    isLoopback: isLoopbackHost(config.listen.host),
    nowMs: clock.nowMs,
  });
  const impacts = new ImpactService({ bus, fleet: fleet.view, clock });
  const onResourceChange = (callback: () => void) => store.onChange(callback);
  const useCases = { policies, history, rollouts, impacts, fleet, tokens, auditLog, access, onResourceChange };
  const api = createApi({
    ...useCases,
    letters,
    redrives,
    breakers,
    force,
    isConnected: () => bus.isConnected(),
    dashboardFolder: options.dashboardFolder,
    version: options.version,
    id,
    log,
  });

  const door = config.metrics && metricsDoor(metrics, config.metricsToken);

  let grpc: GrpcServer | undefined;

  async function close(): Promise<void> {
    for (const timer of timers) clearInterval(timer);
    grpc?.close();
    for (const each of upkeep) each.close();
    await withinMs(leadership.release(), drainMs / 2);
    await Promise.all([withinMs(api.close(), drainMs), door?.close(), bus.close(drainMs)]);
  }

  try {
    const url = await listen(api, config.listen);
    const metricsUrl = door && config.metrics ? `${await listen(door, config.metrics)}/metrics` : undefined;
    if (config.grpcListen === undefined) return { url, metricsUrl, grpcAddress: undefined, close };
    // Who does not ask for gRPC does not pay for it.
    const { GrpcServer } = await import('./api/grpc-server.ts');
    grpc = new GrpcServer({ ...useCases, log });
    return { url, metricsUrl, grpcAddress: await grpc.listen(config.grpcListen), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listen(api: FastifyInstance, { host, port }: HostPort): Promise<string> {
  await api.listen({ host, port });
  const address = api.server.address();
  const realPort = typeof address === 'object' && address ? address.port : port;
  return `http://${formatHostPort({ host, port: realPort })}`;
}

const hasPolicy = ({ stable, candidate }: Bundle): boolean => stable !== null || candidate !== null;

function bundleNews(version: number, hasPolicy: boolean): string {
  return hasPolicy ? `version ${version} published` : `version ${version}: no policy any more`;
}

/** The end must not wait for what no longer answers. */
async function withinMs(work: PromiseLike<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([Promise.resolve(work).catch(() => {}), late]);
  clearTimeout(timer);
}
