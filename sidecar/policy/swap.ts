/**
 * The policy in force for one target, and how a new one takes its place. `inbound` and `outbound` are replaced whole,
 * so a request sees one policy or the other and never a mixture. What has state outlives the swap wherever it can:
 *
 *   rate limiter  kept while its settings are the same, else made anew (its bucket is full again)
 *   admission     one for the life of the target, reconfigured in place: permits in flight stay counted, and requests
 *                 that took one return it to the object they took it from. Without a limit it admits everybody, so
 *                 those that wait get in when the limit is taken away
 *   breaker       reconfigured in place while there is one; a new one begins closed
 */
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import type { PolicySpec } from '../../proto/policy/schema.ts';
import { Admission, type AdmissionSettings } from '../admission/admission.ts';
import { KeyedRateLimiter } from '../admission/keyed-rate-limiter.ts';
import { GcraLimiter } from '../admission/rate-limiter.ts';
import { Breaker, type BreakerTransition } from '../resilience/breaker.ts';
import { compile, type OutboundSettings, passThroughSettings, type RateLimitSettings, unlimited } from './compile.ts';
import type { CompiledInbound, CompiledOutbound, RateLimitKey, RateLimitRule } from './compiled.ts';

/** Shared by every target without a policy. */
export const passThroughInbound: CompiledInbound = { ...passThroughSettings.inbound, rateLimits: [], admission: null };
export const passThroughOutbound: CompiledOutbound = { ...passThroughSettings.outbound, breaker: null };

/** Where a policy comes from; of a bundle, or made up for a file. */
export interface PolicyOrigin {
  readonly epoch: string;
  readonly version: number;
  readonly hash: string;
}

export class LivePolicy {
  /** `<namespace>/<service>`. */
  readonly target: string;
  inbound: CompiledInbound = passThroughInbound;
  outbound: CompiledOutbound = passThroughOutbound;
  /** Of what was applied last; version 0: nothing yet. */
  epoch = '';
  version = 0;
  hash = '';
  private readonly onTransition: ((transition: BreakerTransition) => void) | undefined;
  private rules: readonly Rule[] = [];
  private admission: Admission | null = null;
  private admissionSettings: AdmissionSettings = unlimited;

  /** `onTransition` hears of every breaker this target ever has. */
  constructor(target: string, onTransition?: (transition: BreakerTransition) => void) {
    this.target = target;
    this.onTransition = onTransition;
  }

  /** null: no policy is about the target. Everything is built before anything is replaced. */
  apply(spec: PolicySpec | null, origin: PolicyOrigin, nowMs: number): void {
    const settings = compile(spec);
    const rules = settings.inbound.rateLimits.map((limit) => this.ruleFor(limit));
    const wanted = settings.inbound.admission;
    if (wanted !== null && this.admission === null) {
      this.admission = new Admission(wanted);
      this.admissionSettings = wanted;
    }
    const admission = wanted === null ? null : this.admission;
    const breaker = this.breakerFor(settings.outbound);

    this.inbound =
      settings.inbound === passThroughSettings.inbound
        ? passThroughInbound
        : { ...settings.inbound, rateLimits: rules, admission };
    this.outbound =
      settings.outbound === passThroughSettings.outbound ? passThroughOutbound : { ...settings.outbound, breaker };
    this.rules = rules;
    this.epoch = origin.epoch;
    this.version = origin.version;
    this.hash = origin.hash;

    // Last, since these call back: whoever is admitted or refused now already meets the new policy.
    this.reconfigureBreaker(settings.outbound, nowMs);
    this.reconfigureAdmission(wanted ?? unlimited, nowMs);
  }

  private ruleFor(settings: RateLimitSettings): Rule {
    return this.rules.find((rule) => isSame(rule.settings, settings)) ?? new Rule(settings);
  }

  private breakerFor({ breaker }: OutboundSettings): Breaker | null {
    if (breaker === null) return null;
    return this.outbound.breaker ?? new Breaker(breaker, this.onTransition);
  }

  private reconfigureBreaker({ breaker: settings, fleetBreaker }: OutboundSettings, nowMs: number): void {
    const { breaker } = this.outbound;
    if (settings === null || breaker === null) return;
    breaker.reconfigure(settings, nowMs);
    if (!fleetBreaker) breaker.applyFleet(null, nowMs);
  }

  private reconfigureAdmission(settings: AdmissionSettings, nowMs: number): void {
    if (this.admission === null || isSame(this.admissionSettings, settings)) return;
    this.admissionSettings = settings;
    this.admission.reconfigure(settings, nowMs);
  }
}

/** One shape for rules with and without a key, so that the hot path sees one kind of object. */
class Rule implements RateLimitRule {
  readonly name: string;
  readonly key: RateLimitKey;
  readonly settings: RateLimitSettings;
  private readonly shared: GcraLimiter;
  private readonly keyed: KeyedRateLimiter | null;

  constructor(settings: RateLimitSettings) {
    this.name = settings.name;
    this.key = settings.key;
    this.settings = settings;
    this.shared = new GcraLimiter(settings);
    this.keyed = settings.key.kind === 'none' ? null : new KeyedRateLimiter(settings);
  }

  tryAcquire(key: string, nowMs: number): number {
    return this.keyed === null ? this.shared.tryAcquire(nowMs) : this.keyed.tryAcquire(key, nowMs);
  }
}

function isSame(left: object, right: object): boolean {
  return left === right || canonicalJson(left) === canonicalJson(right);
}
