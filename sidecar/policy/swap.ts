/**
 * The policy in force for one target, and how a new one takes its place. `inbound` and `outbound` are replaced whole,
 * so a request sees one policy or the other and never a mixture. What has state outlives the swap wherever it can:
 *
 *   rate limiter  kept while its settings are the same, else made anew (its bucket is full again)
 *   admission     one for the life of the target, reconfigured in place: permits in flight stay counted, and requests
 *                 that took one return it to the object they took it from. Without a limit it admits everybody, so
 *                 those that wait get in when the limit is taken away
 *   breaker       reconfigured in place while there is one; a new one begins closed
 *   route         the same as long as its name is; one that is gone admits all who wait at limits of its own
 */
import { fleetLimitKey } from '../../proto/policy/fleet-limits.ts';
import type { PolicySpec } from '../../proto/policy/schema.ts';
import type { Admission } from '../admission/admission.ts';
import type { FleetRateLimiter } from '../admission/fleet-rate-limiter.ts';
import type { Breaker, BreakerTransition } from '../resilience/breaker.ts';
import type { StaleAnswers } from '../resilience/stale-answers.ts';
import { compile, type PolicySettings, passThroughSettings, unlimited } from './compile.ts';
import type { RouteSettings } from './compile-routes.ts';
import type { CompiledInbound, CompiledOutbound } from './compiled.ts';
import { LiveInbound, passThroughInbound } from './live-inbound.ts';
import { LiveOutbound, passThroughOutbound } from './live-outbound.ts';
import { LiveRoute } from './live-route.ts';
import type { RouteCounts } from './route-counts.ts';
import type { RequestHead } from './route-match.ts';
import { RouteTable } from './route-table.ts';
import type { Rule } from './rule.ts';
import { notShared, type PolicyMemory, type Sharing } from './sharing.ts';

export { passThroughInbound } from './live-inbound.ts';
export { passThroughOutbound } from './live-outbound.ts';

/** As it stands for one target, with where its limits keep their numbers. */
export interface StandingPolicy {
  readonly spec: PolicySpec | null;
  readonly origin: PolicyOrigin;
  /** null: the limits are the thread's own. */
  readonly inbound: PolicyMemory | null;
  readonly outbound: PolicyMemory | null;
}

/** Where a policy comes from; of a bundle, or made up for a file. */
export interface PolicyOrigin {
  readonly epoch: string;
  readonly version: number;
  readonly hash: string;
}

/** `route` is empty for the service's own breaker. */
export type OnTransition = (transition: BreakerTransition, route: string) => void;

export class LivePolicy {
  /** `<namespace>/<service>`. */
  readonly target: string;
  /** Of requests that no route matches; of all while there are no routes. */
  inbound: CompiledInbound = passThroughInbound;
  outbound: CompiledOutbound = passThroughOutbound;
  /** Of what was applied last; version 0: nothing yet. */
  epoch = '';
  version = 0;
  hash = '';
  private inboundRoutes: RouteTable<CompiledInbound> | null = null;
  private outboundRoutes: RouteTable<CompiledOutbound> | null = null;
  private readonly onTransition: OnTransition | undefined;
  private readonly sharing: Sharing;
  private readonly liveInbound: LiveInbound;
  private readonly liveOutbound: LiveOutbound;
  private builtRoutes: readonly { readonly outbound: CompiledOutbound }[] = [];
  private liveRoutes: ReadonlyMap<string, LiveRoute> = new Map();

  /** `onTransition` hears of every breaker this target ever has. */
  constructor(target: string, onTransition?: OnTransition, sharing = notShared) {
    this.target = target;
    this.onTransition = onTransition;
    this.sharing = sharing;
    this.liveInbound = new LiveInbound(sharing);
    this.liveOutbound = new LiveOutbound(sharing, onTransition && ((transition) => onTransition(transition, '')));
  }

  /** Whether requests to the target may be parked, of any route. */
  get parks(): boolean {
    return this.outbound.parking !== null || this.builtRoutes.some(({ outbound }) => outbound.parking !== null);
  }

  /** For this request; without routes it costs one comparison. */
  inboundFor(head: RequestHead): CompiledInbound {
    return this.inboundRoutes === null ? this.inbound : this.inboundRoutes.settingsFor(head);
  }

  outboundFor(head: RequestHead): CompiledOutbound {
    return this.outboundRoutes === null ? this.outbound : this.outboundRoutes.settingsFor(head);
  }

  /**
   * null: no policy is about the target. Everything is built before anything is replaced. `given`: where the limits'
   * numbers stand already, from the thread that applied the policy first.
   */
  apply(spec: PolicySpec | null, origin: PolicyOrigin, nowMs: number, given: PolicyMemory | null = null): void {
    const settings = compile(spec);
    const { inbound, rules } = this.liveInbound.build(settings.inbound, given);
    const builtOutbound = this.liveOutbound.build(settings.outbound, given);
    const { outbound } = builtOutbound;
    const built = settings.routes.map((route) => this.buildRoute(route, inbound, outbound, given));
    const gone = [...this.liveRoutes.values()].filter(({ name }) => !settings.routes.some((one) => one.name === name));

    this.inbound = settings === passThroughSettings ? passThroughInbound : inbound;
    this.outbound = settings === passThroughSettings ? passThroughOutbound : outbound;
    this.liveInbound.rules = rules;
    this.liveOutbound.replace(builtOutbound);
    for (const one of built) {
      one.live.inbound.rules = one.inbound.rules;
      one.live.outbound.replace(one.outbound);
    }
    this.builtRoutes = built.map(({ outbound: { outbound } }) => ({ outbound }));
    this.liveRoutes = new Map(built.map(({ live }) => [live.name, live]));
    const routesOf = <T>(pick: (one: BuiltRoute) => T) =>
      built.map((one) => ({ match: one.settings.match, settings: pick(one) }));
    this.inboundRoutes =
      built.length === 0
        ? null
        : new RouteTable(
            routesOf((one) => one.inbound.inbound),
            this.inbound,
          );
    this.outboundRoutes =
      built.length === 0
        ? null
        : new RouteTable(
            routesOf((one) => one.outbound.outbound),
            this.outbound,
          );
    this.epoch = origin.epoch;
    this.version = origin.version;
    this.hash = origin.hash;

    // Last, since these call back: whoever is admitted or refused now already meets the new policy.
    reconfigure(this.liveInbound, this.liveOutbound, settings, nowMs, given);
    for (const one of built) {
      const memory = given?.routes.get(one.live.name) ?? null;
      reconfigure(one.live.inbound, one.live.outbound, one.settings, nowMs, memory);
    }
    for (const { inbound } of gone) inbound.reconfigure(unlimited, nowMs, null);
  }

  /** For the other threads' `given`. */
  get memory(): PolicyMemory {
    const routes = new Map([...this.liveRoutes].map(([name, route]) => [name, route.memory]));
    return { ...this.liveInbound.memory, ...this.liveOutbound.memory, counts: null, routes };
  }

  /** Requests that wait at the service's limit and at those of its routes, in all threads. */
  get queued(): number {
    let sum = this.liveInbound.admission?.queued ?? 0;
    for (const { inbound } of this.liveRoutes.values()) sum += inbound.admission?.queued ?? 0;
    return sum;
  }

  /** Of the service and of routes that have their own, together. */
  get concurrencyLimit(): number {
    let sum = 0;
    for (const { admission } of this.limits()) sum += admission === null ? 0 : admission.limit;
    return sum;
  }

  /** Requests that there is room for, in all threads; Infinity where some have no limit. */
  get room(): number {
    let sum = 0;
    for (const { admission } of this.limits()) sum += admission === null ? Number.POSITIVE_INFINITY : admission.room;
    for (const { inbound } of this.liveRoutes.values()) sum += waitingMaxOf(inbound);
    return sum + waitingMaxOf(this.liveInbound);
  }

  /** Refuses whoever has waited too long. */
  expire(nowMs: number): void {
    this.liveInbound.admission?.expire(nowMs);
    for (const { inbound } of this.liveRoutes.values()) inbound.admission?.expire(nowMs);
  }

  /** The app wants more than it did. */
  onCredit(nowMs: number): void {
    this.liveInbound.admission?.onCredit(nowMs);
    for (const { inbound } of this.liveRoutes.values()) inbound.admission?.onCredit(nowMs);
  }

  /** Another thread granted permits to this one. */
  onGranted(nowMs: number): void {
    this.liveInbound.admission?.onGranted(nowMs);
    for (const { inbound } of this.liveRoutes.values()) inbound.admission?.onGranted(nowMs);
  }

  /** That thread is dead: what it held of the limits is free again. */
  abandon(seat: number, nowMs: number): void {
    this.liveInbound.abandon(seat, nowMs);
    for (const { inbound } of this.liveRoutes.values()) inbound.abandon(seat, nowMs);
  }

  /** Services that requests may turn to. */
  *fallbackServices(): Iterable<string> {
    for (const { outbound } of [{ outbound: this.outbound }, ...this.builtRoutes]) {
      const service = outbound.fallback?.service ?? '';
      if (service !== '') yield service;
    }
  }

  *routeCounts(): Iterable<RouteCounts> {
    for (const { counts } of this.liveRoutes.values()) yield counts;
  }

  /** The concurrency limits in force: the service's own, with an empty route, and those of routes that have one. */
  *limits(): Iterable<{ readonly route: string; readonly admission: Admission | null }> {
    yield { route: '', admission: this.inbound.admission };
    for (const { name, inbound } of this.liveRoutes.values()) {
      if (inbound.isLimiting) yield { route: name, admission: inbound.admission };
    }
  }

  /** The rate limits in force: the service's own, with an empty route, and those of routes. */
  *rateLimits(): Iterable<{ readonly route: string; readonly rule: Rule }> {
    for (const rule of this.liveInbound.rules) yield { route: '', rule };
    for (const { name, inbound } of this.liveRoutes.values()) {
      for (const rule of inbound.rules) yield { route: name, rule };
    }
  }

  /** Caches of last good answers in this thread. */
  *staleAnswers(): Iterable<StaleAnswers> {
    const all = [this.liveOutbound, ...Array.from(this.liveRoutes.values(), ({ outbound }) => outbound)];
    for (const { stale } of all) if (stale !== null) yield stale;
  }

  /** What this instance holds of the limits that the fleet shares, by the key under which reports name them. */
  *fleetLimits(): Iterable<{ readonly key: string; readonly limiter: FleetRateLimiter }> {
    for (const { route, rule } of this.rateLimits()) {
      if (rule.fleet !== null) yield { key: fleetLimitKey(route, rule.name), limiter: rule.fleet };
    }
  }

  /** The breakers that routes have for themselves. */
  *routeBreakers(): Iterable<{ readonly route: string; readonly breaker: Breaker }> {
    for (const { name, outbound } of this.liveRoutes.values()) {
      if (outbound.breaker !== null) yield { route: name, breaker: outbound.breaker };
    }
  }

  /** `route` is empty for the service's own. */
  breakerOf(route: string): Breaker | null {
    return (route === '' ? this.liveOutbound : this.liveRoutes.get(route)?.outbound)?.breaker ?? null;
  }

  private buildRoute(
    settings: RouteSettings,
    inbound: CompiledInbound,
    outbound: CompiledOutbound,
    given: PolicyMemory | null,
  ): BuiltRoute {
    const { name, essential, own } = settings;
    const memory = given?.routes.get(name) ?? null;
    const live = this.liveRoutes.get(name) ?? this.newRoute(name, memory);
    const { counts } = live;
    return {
      live,
      settings,
      inbound: live.inbound.build(settings.inbound, memory, { service: inbound, own: own.inbound, essential, counts }),
      outbound: live.outbound.build(settings.outbound, memory, {
        service: outbound,
        own: own.outbound,
        essential,
        counts,
      }),
    };
  }

  private newRoute(name: string, given: PolicyMemory | null): LiveRoute {
    const { onTransition } = this;
    return new LiveRoute(name, this.sharing, given, onTransition && ((transition) => onTransition(transition, name)));
  }
}

/** Requests that may wait for their turn at its rate limits. */
function waitingMaxOf({ rules }: LiveInbound): number {
  return rules.reduce((sum, { settings }) => sum + settings.waitingMax, 0);
}

interface BuiltRoute {
  readonly live: LiveRoute;
  readonly settings: RouteSettings;
  readonly inbound: ReturnType<LiveInbound['build']>;
  readonly outbound: ReturnType<LiveOutbound['build']>;
}

/** Of a route, what it does not have for itself is not its to limit. */
function reconfigure(
  inbound: LiveInbound,
  outbound: LiveOutbound,
  settings: PolicySettings | RouteSettings,
  nowMs: number,
  given: PolicyMemory | null,
): void {
  outbound.reconfigure(settings.outbound, nowMs);
  const isOwn = !('own' in settings) || settings.own.inbound.has('concurrency');
  inbound.reconfigure(isOwn ? (settings.inbound.admission ?? unlimited) : unlimited, nowMs, given);
}
