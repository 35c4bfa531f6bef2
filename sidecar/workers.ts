/**
 * A data plane of N threads, as the control side sees it. Every worker carries requests (worker.ts); this keeps what they
 * have in common: the listening sockets, the memory of limits and counters, and the original of every policy.
 *
 *   bound sockets ──duplicates──▶ worker 0 … N−1 ──▶ counters in shared memory, evidence by message
 *   policies, endpoints ──────▶                  ◀──▶ limits in shared memory, permits granted across seats
 *
 * Targets here are mirrors: they carry the policy's original, the shared breaker, and the sums of what workers counted.
 */

import { randomBytes } from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';
import type { Log } from '../proto/kernel/log-format.ts';
import { XorShift32 } from '../proto/kernel/random.ts';
import type { PolicySpec } from '../proto/policy/schema.ts';
import { DeliveryCredit } from './admission/delivery-credit.ts';
import { overseer } from './admission/seat.ts';
import { serviceNameOf, splitPair } from './config.ts';
import type { ListeningAddresses, WorkersOptions } from './data-plane-options.ts';
import { ContextTable } from './exchange/context-table.ts';
import { type Target, Targets } from './exchange/targets.ts';
import { mergeRecorded, type RecordedTraffic } from './exchange/traffic-recording.ts';
import { TrafficStats } from './exchange/traffic-stats.ts';
import { filePolicyOrigin } from './file-policies.ts';
import { mostHeld, type StreamView } from './http2/flow-view.ts';
import { BreakerLog } from './io/breaker-log.ts';
import { clock, clockOriginMs, tick } from './io/clock.ts';
import type { Plane, WorkerReading } from './io/plane.ts';
import { type PlaneReadings, sumOf } from './io/plane-readings.ts';
import { accessLimiterBytes } from './io/request-log.ts';
import { type BoundSocket, bindSocket } from './io/threads/descriptors.ts';
import type { FromWorker, ToWorker, WorkerStart } from './io/threads/messages.ts';
import { Rounds } from './io/threads/rounds.ts';
import { SummedTraffic } from './io/threads/summed-traffic.ts';
import { ThreadQueues } from './io/threads/thread-queues.ts';
import { type SeatOwner, WorkerSeat } from './io/threads/worker-seat.ts';
import { placesOf } from './places.ts';
import type { Sharing } from './policy/sharing.ts';
import { LivePolicy, type PolicyOrigin, type StandingPolicy } from './policy/swap.ts';
import { AuthorityMap } from './routing/authority.ts';
import { Cluster, type EndpointInput } from './routing/cluster.ts';

export class Workers implements Plane, SeatOwner {
  readonly entry = new URL('./worker.js', import.meta.url);
  readonly policy: LivePolicy;
  readonly delivery: DeliveryCredit;
  readonly targets: Targets;
  readonly random: XorShift32;
  readonly deliver: Plane['deliver'] = (request) => this.queues.deliver(request);
  onBreakerTransition: ((target: string) => void) | null = null;

  private readonly options: WorkersOptions;
  private readonly count: number;
  private readonly log: Log;
  private readonly seats: WorkerSeat[];
  private readonly keySeeds: readonly [number, number];
  private readonly ticketSeed: Uint8Array = randomBytes(32);
  private readonly accessLines = new SharedArrayBuffer(accessLimiterBytes);
  private readonly deliveryMemory = new SharedArrayBuffer(DeliveryCredit.bytes);
  private readonly contexts = new SharedArrayBuffer(ContextTable.bytes);
  private readonly inbound: SummedTraffic;
  private readonly outboundUnrouted: SummedTraffic;
  private readonly outbound = new Map<string, SummedTraffic>();
  private readonly outboundPolicies = new Map<string, LivePolicy>();
  private readonly standing = new Map<string, { spec: PolicySpec | null; origin: PolicyOrigin }>();
  private readonly endpoints = new Map<string, readonly EndpointInput[]>();
  /** Of policies: '' where it is in force, else why not. */
  private readonly rounds = new Rounds<string>();
  private readonly views = new Rounds<StreamView[]>();
  private readonly recordings = new Rounds<RecordedTraffic>();
  private readonly queues: ThreadQueues;
  private readonly breakerLog: BreakerLog;
  private readonly sockets = new Map<string, BoundSocket>();
  private isDraining = false;
  /** Workers that have not said that they drain; what they read before counts for nothing. */
  private readonly notYetDraining = new Set<number>();

  constructor(options: WorkersOptions) {
    const { config, log } = options;
    this.options = options;
    this.count = config.concurrency;
    this.log = log;
    this.random = new XorShift32(options.seed);
    this.keySeeds = [randomBytes(4).readInt32LE(), randomBytes(4).readInt32LE()];
    this.breakerLog = new BreakerLog(log, (target) => this.onBreakerTransition?.(target));
    this.inbound = new SummedTraffic(new TrafficStats('inbound', config.service), this.rowPerSeat());
    this.outboundUnrouted = new SummedTraffic(new TrafficStats('outbound', 'unknown'), this.rowPerSeat());
    this.delivery = new DeliveryCredit(this.deliveryMemory);
    this.delivery.open();
    const post = (seat: number, message: ToWorker): void => this.seats[seat]!.post(message);
    this.queues = new ThreadQueues({ ...options, seats: this.count, post, running: () => this.running() });
    this.policy = new LivePolicy(config.service, undefined, this.sharing('inbound'));
    const authorities = new AuthorityMap({ namespace: serviceNameOf(config).namespace });
    this.targets = new Targets(authorities, (key) => this.createMirror(key));
    this.seats = Array.from({ length: this.count }, (_, seat) => new WorkerSeat(seat, this));
    for (const [target, spec] of options.filePolicies) {
      this.outboundPolicyOf(target);
      this.applyHere(target, spec, filePolicyOrigin, clock.nowMs);
    }
  }

  /** Rejects when an address cannot be had or a worker cannot start. */
  async listen(): Promise<ListeningAddresses> {
    const { config } = this.options;
    for (const [name, address] of placesOf(config)) this.sockets.set(name, await bindSocket(address));
    await Promise.all(this.seats.map((seat) => seat.start()));
    const addressOf = (name: string): string => this.sockets.get(name)?.address ?? '';
    return {
      ...(config.app === undefined ? {} : { inbound: addressOf('inbound') }),
      outbound: addressOf('outbound'),
      upstreams: Object.fromEntries(
        config.upstream.map(splitPair).map(([port, service]) => [service, addressOf(`upstream ${port}`)]),
      ),
    };
  }

  drain(): void {
    this.isDraining = true;
    for (const seat of this.running()) this.notYetDraining.add(seat);
    for (const seat of this.seats) seat.post({ kind: 'drain' });
  }

  async close(): Promise<void> {
    this.queues.close();
    await Promise.all(this.seats.map((seat) => seat.close()));
    for (const rounds of [this.rounds, this.views, this.recordings]) rounds.close();
    for (const socket of this.sockets.values()) socket.close();
  }

  // ── What the control side asks ──────────────────────────────────────────────────────────────────────────────────

  applyPolicy(target: string, spec: PolicySpec | null, from: PolicyOrigin, nowMs: number): Promise<void> | undefined {
    const origin = { epoch: from.epoch, version: from.version, hash: from.hash };
    this.applyHere(target, spec, origin, nowMs);
    const policy = this.standingOf(target);
    return this.rounds
      .ask(this.running(), (id) => {
        for (const seat of this.seats) seat.post({ kind: 'policy', id, target, policy });
      })
      .then((errors) => {
        const error = errors.find((one) => one !== '');
        if (error !== undefined) throw new Error(error);
      });
  }

  setEndpoints(target: string, list: readonly EndpointInput[]): void {
    this.endpoints.set(target, list);
    this.targets.get(target)?.cluster.updateEndpoints(list);
    for (const seat of this.seats) seat.post({ kind: 'endpoints', target, list });
  }

  refresh(): void {
    for (const { rows, total } of [this.inbound, this.outboundUnrouted, ...this.outbound.values()]) total.sum(rows);
  }

  get inboundTraffic(): TrafficStats {
    return this.inbound.total;
  }

  get unrouted(): TrafficStats {
    return this.outboundUnrouted.total;
  }

  get transitions(): ReadonlyMap<string, number> {
    return this.breakerLog.transitions;
  }

  get workers(): readonly WorkerReading[] {
    return this.seats.map(({ seat, isRunning, deaths, readings }) => ({
      worker: seat,
      isRunning,
      connections: sumOf(readings).connections,
      deaths,
    }));
  }

  private get readings(): PlaneReadings {
    return sumOf(this.seats.flatMap((seat) => seat.readings));
  }

  get connections(): number {
    return this.readings.connections;
  }

  get drainingConnections(): number {
    return this.readings.drainingConnections + this.notYetDraining.size;
  }

  get streams(): number {
    return this.readings.streams;
  }

  get bufferedBytes(): number {
    return this.readings.bufferedBytes;
  }

  get upstreamConnections(): PlaneReadings['upstreamConnections'] {
    return this.readings.upstreamConnections;
  }

  get poolCounts(): PlaneReadings['poolCounts'] {
    return this.readings.poolCounts;
  }

  get endpointHealth(): PlaneReadings['endpointHealth'] {
    return this.readings.endpointHealth;
  }

  get loopLagMs(): number {
    return this.readings.loopLagMs;
  }

  get overload(): PlaneReadings['overload'] {
    return this.readings.overload;
  }

  get priorities(): PlaneReadings['priorities'] {
    return this.readings.priorities;
  }

  get stale(): PlaneReadings['stale'] {
    return this.readings.stale;
  }

  get flow(): PlaneReadings['flow'] {
    return this.readings.flow;
  }

  async recordedTraffic(): Promise<RecordedTraffic> {
    return mergeRecorded(await this.askAll(this.recordings, 'recorded'));
  }

  async streamViews(): Promise<StreamView[]> {
    return mostHeld((await this.askAll(this.views, 'streams')).flat());
  }

  get parkingBytes(): number {
    return this.queues.heldBytes;
  }

  get limitTrips(): Float64Array {
    return this.readings.limitTrips;
  }

  get tls(): PlaneReadings['tls'] {
    return this.readings.tls;
  }

  // ── What the seats ask and tell ─────────────────────────────────────────────────────────────────────────────────

  async startOf(seat: number): Promise<WorkerStart> {
    const { config, meshToken } = this.options;
    const descriptors: Record<string, number> = {};
    for (const [name, socket] of this.sockets) descriptors[name] = await socket.duplicate();
    return {
      seat,
      seats: this.count,
      config,
      meshToken,
      seed: Math.floor(this.random.next() * 2 ** 32),
      keySeeds: this.keySeeds,
      ticketSeed: this.ticketSeed,
      clockOriginMs: clockOriginMs(),
      descriptors,
      memory: {
        inboundTraffic: this.inbound.rows[seat]!,
        unrouted: this.outboundUnrouted.rows[seat]!,
        targets: new Map([...this.outbound].map(([target, { rows }]) => [target, rows[seat]!])),
      },
      accessLines: this.accessLines,
      delivery: this.deliveryMemory,
      contexts: this.contexts,
      policies: new Map([...this.standing.keys()].map((target) => [target, this.standingOf(target)])),
      endpoints: this.endpoints,
      isDraining: this.isDraining,
      parking: this.queues.start,
    };
  }

  onMessage(seat: number, message: FromWorker): void {
    switch (message.kind) {
      case 'applied':
        this.rounds.answer(message.id, seat, message.error);
        break;
      case 'draining':
        this.notYetDraining.delete(seat);
        break;
      case 'streams':
        this.views.answer(message.id, seat, message.views);
        break;
      case 'recorded':
        this.recordings.answer(message.id, seat, message.recorded);
        break;
      case 'park':
      case 'delivered':
        this.queues.onMessage(seat, message);
        break;
      case 'target':
        this.onTargetUsed(seat, message.target, message.traffic);
        break;
      case 'counts': {
        const target = this.targets.get(message.target);
        target?.cluster.counts.add(message.counts);
        if (message.counts.fail > 0) target?.onFailure?.();
        break;
      }
      case 'transition': {
        const { target, transition, route } = message;
        const breaker = this.targets.get(target)?.policy.breakerOf(route);
        if (breaker) breaker.cause = transition.cause;
        this.breakerLog.of(target)(transition, route);
        break;
      }
      case 'log':
        this.log[message.level](message.msg, { ...message.fields, worker: seat });
        break;
    }
  }

  /** Introduces it to the others, so that each can wake it. */
  onListening(seat: number): void {
    for (const other of this.seats) {
      if (other.seat === seat || !other.isRunning) continue;
      const { port1, port2 } = new MessageChannel();
      this.seats[seat]!.post({ kind: 'neighbour', seat: other.seat, port: port1 }, [port1]);
      other.post({ kind: 'neighbour', seat, port: port2 }, [port2]);
    }
  }

  onDeath(seat: number, reason: string, retryMs: number): void {
    this.log.error('worker died', { worker: seat, deaths: this.seats[seat]!.deaths, retryMs, reason });
    for (const { rows } of [this.inbound, this.outboundUnrouted, ...this.outbound.values()]) {
      TrafficStats.forgetInFlight(rows[seat]!);
    }
    this.policy.abandon(seat, tick());
    this.notYetDraining.delete(seat);
    this.queues.leave(seat);
    for (const rounds of [this.rounds, this.views, this.recordings]) rounds.leave(seat);
  }

  private onTargetUsed(seat: number, key: string, traffic: SharedArrayBuffer): void {
    const target = this.targets.byKey(key);
    const summed = this.outbound.get(key);
    if (target === undefined || summed === undefined) return;
    summed.rows[seat] = traffic;
  }

  private askAll<Answer>(rounds: Rounds<Answer>, kind: 'streams' | 'recorded'): Promise<Answer[]> {
    return rounds.ask(this.running(), (id) => {
      for (const seat of this.seats) seat.post({ kind, id });
    });
  }

  private running(): number[] {
    return this.seats.filter(({ isRunning }) => isRunning).map(({ seat }) => seat);
  }

  // ── Policies and mirrors ────────────────────────────────────────────────────────────────────────────────────────

  private applyHere(target: string, spec: PolicySpec | null, origin: PolicyOrigin, nowMs: number): void {
    if (target === this.policy.target) this.policy.apply(spec, origin, nowMs);
    this.outboundPolicies.get(target)?.apply(spec, origin, nowMs);
    const called = this.targets.get(target);
    if (called !== undefined) this.targets.warm(called);
    this.standing.set(target, { spec, origin });
  }

  private standingOf(target: string): StandingPolicy {
    const { spec, origin } = this.standing.get(target)!;
    const outbound = this.outboundPolicies.get(target)?.memory ?? null;
    return { spec, origin, inbound: target === this.policy.target ? this.policy.memory : null, outbound };
  }

  private createMirror(key: string): Target {
    const traffic = new TrafficStats('outbound', key);
    this.outbound.set(key, new SummedTraffic(traffic, this.rowPerSeat()));
    const fixed = this.options.config.endpoint.map(splitPair).filter(([service]) => service === key);
    const cluster = new Cluster({ key, random: this.random, staticEndpoints: fixed.map(([, address]) => address) });
    return { key, policy: this.outboundPolicyOf(key), cluster, traffic, onFailure: null, onProbe: null };
  }

  private outboundPolicyOf(key: string): LivePolicy {
    const known = this.outboundPolicies.get(key);
    if (known !== undefined) return known;
    const policy = new LivePolicy(key, this.breakerLog.of(key), this.sharing('outbound'));
    this.outboundPolicies.set(key, policy);
    return policy;
  }

  private sharing(part: 'inbound' | 'outbound'): Sharing {
    const wake = (seat: number): void => this.seats[seat]?.post({ kind: 'granted' });
    const delivery = part === 'inbound' ? this.delivery : null;
    return { seat: { index: overseer, count: this.count, wake }, keySeeds: this.keySeeds, part, delivery };
  }

  private rowPerSeat(): SharedArrayBuffer[] {
    return Array.from({ length: this.count }, () => new SharedArrayBuffer(TrafficStats.bytes));
  }
}
