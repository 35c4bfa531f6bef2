/**
 * The outbound side in force for a service or for one of its routes, with what has state; see live-inbound.ts. The
 * verdict of the fleet is about the service, so a route's own breaker knows none.
 */
import { ownerOf } from '../admission/seat.ts';
import { Breaker, type BreakerTransition } from '../resilience/breaker.ts';
import { ClientThrottle } from '../resilience/client-throttle.ts';
import { RetryPolicy } from '../resilience/retry-policy.ts';
import { SharedBreaker } from '../resilience/shared-breaker.ts';
import { StaleAnswers, type StaleSettings } from '../resilience/stale-answers.ts';
import { StoredLevel } from '../resilience/stored-level.ts';
import { type OutboundSettings, passThroughOutboundSettings } from './compile-outbound.ts';
import type { CompiledOutbound, Fallback } from './compiled.ts';
import { isSame, type RouteOf } from './live-inbound.ts';
import { memoryForBreaker, type PolicyMemory, type Sharing } from './sharing.ts';

/** Shared by every target without a policy. */
export const passThroughOutbound: CompiledOutbound = {
  ...passThroughOutboundSettings,
  breaker: null,
  retries: null,
  fallback: null,
  throttle: null,
  level: null,
  essential: true,
  counts: null,
};

export interface BuiltOutbound {
  readonly outbound: CompiledOutbound;
  /** Those that are its own. */
  readonly breaker: Breaker | null;
  readonly stale: StaleAnswers | null;
}

export class LiveOutbound {
  breaker: Breaker | null = null;
  private retries: RetryPolicy | null = null;
  /** Answers outlive a changed policy. */
  stale: StaleAnswers | null = null;
  private throttle: ClientThrottle | null = null;
  /** What the target told stays true whatever its policy becomes; one for its life. */
  private readonly level = new StoredLevel();
  private breakerMemory: SharedArrayBuffer | null = null;
  private readonly sharing: Sharing;
  private readonly onTransition: ((transition: BreakerTransition) => void) | undefined;

  constructor(sharing: Sharing, onTransition: ((transition: BreakerTransition) => void) | undefined) {
    this.sharing = sharing;
    this.onTransition = onTransition;
  }

  /** What will be in force; nothing that is in force changes yet. `given`: see LivePolicy.apply. */
  build(
    settings: OutboundSettings,
    given: PolicyMemory | null,
    route: RouteOf<CompiledOutbound> | null = null,
  ): BuiltOutbound {
    const owns = (section: string): boolean => route === null || route.own.has(section);
    const breaker = owns('circuitBreaker') ? this.breakerFor(settings, given) : null;
    this.retries = this.retriesFor(settings, route);
    const outbound: CompiledOutbound = {
      ...settings,
      breaker: owns('circuitBreaker') ? breaker : route!.service.breaker,
      retries: this.retries,
      fleetBreaker: settings.fleetBreaker && !(route !== null && owns('circuitBreaker')),
      fallback: owns('fallback') ? this.fallbackFor(settings) : route!.service.fallback,
      throttle: owns('throttle') ? this.throttleFor(settings) : route!.service.throttle,
      level: settings.toldLevels ? (route === null ? this.level : route.service.level) : null,
      essential: route?.essential ?? true,
      counts: route?.counts ?? null,
    };
    return { outbound, breaker, stale: owns('fallback') ? (outbound.fallback?.stale ?? null) : null };
  }

  /** Puts in force what was built. */
  replace({ breaker, stale }: BuiltOutbound): void {
    this.breaker = breaker;
    this.stale = stale;
  }

  get memory(): Pick<PolicyMemory, 'breaker'> {
    return { breaker: this.breaker === null ? null : this.breakerMemory };
  }

  reconfigure({ breaker: settings, fleetBreaker, fallback }: OutboundSettings, nowMs: number): void {
    const { breaker } = this;
    if (fallback?.stale) this.stale?.reconfigure(this.shareOf(fallback.stale));
    if (settings === null || breaker === null) return;
    breaker.reconfigure(settings, nowMs);
    if (!fleetBreaker) breaker.applyFleet(null, nowMs);
  }

  /** A budget stays while its settings do. A route without a section of its own has the service's budget in common. */
  private retriesFor({ retries }: OutboundSettings, route: RouteOf<CompiledOutbound> | null): RetryPolicy | null {
    if (retries === null) return null;
    const common = route === null ? null : route.service.retries;
    if (common !== null && isSame(common.settings, retries)) return common;
    if (this.retries !== null && isSame(this.retries.settings, retries)) return this.retries;
    const budget =
      this.retries !== null && isSame(this.retries.settings.budget, retries.budget) ? this.retries.budget : undefined;
    return new RetryPolicy(retries, budget);
  }

  private fallbackFor({ fallback, shadow }: OutboundSettings): Fallback | null {
    if (fallback === null) return null;
    const stale = fallback.stale && (this.stale ?? new StaleAnswers(this.shareOf(fallback.stale)));
    return { ...fallback, shadow, stale };
  }

  /** Each thread keeps what it has seen, in its part of the bounds. */
  private shareOf(stale: StaleSettings): StaleSettings {
    const { count } = this.sharing.seat;
    const part = (bound: number): number => Math.max(1, Math.floor(bound / count));
    return { ...stale, entriesMax: part(stale.entriesMax), bytesMax: part(stale.bytesMax) };
  }

  private throttleFor({ throttle: settings }: OutboundSettings): ClientThrottle | null {
    if (settings === null || this.throttle === null || !isSame(this.throttle.settings, settings)) {
      this.throttle = settings === null ? null : new ClientThrottle(settings);
    }
    return this.throttle;
  }

  private breakerFor({ breaker: settings }: OutboundSettings, given: PolicyMemory | null): Breaker | null {
    if (settings === null) return null;
    if (this.breaker !== null) return this.breaker;
    this.breakerMemory = given?.breaker ?? memoryForBreaker(this.sharing);
    if (this.breakerMemory === null) return new Breaker(settings, this.onTransition);
    return new SharedBreaker(settings, this.onTransition, this.breakerMemory, ownerOf(this.sharing.seat));
  }
}
