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
import { ownerOf } from '../admission/seat.ts';
import { Breaker, type BreakerTransition } from '../resilience/breaker.ts';
import { SharedBreaker } from '../resilience/shared-breaker.ts';
import { compile, type OutboundSettings, passThroughSettings, type RateLimitSettings, unlimited } from './compile.ts';
import type { CompiledInbound, CompiledOutbound } from './compiled.ts';
import { Rule } from './rule.ts';
import {
  memoryForAdmission,
  memoryForBreaker,
  memoryForRule,
  notShared,
  type PolicyMemory,
  type Sharing,
} from './sharing.ts';

/** Shared by every target without a policy. */
export const passThroughInbound: CompiledInbound = { ...passThroughSettings.inbound, rateLimits: [], admission: null };
export const passThroughOutbound: CompiledOutbound = { ...passThroughSettings.outbound, breaker: null };

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
  private readonly sharing: Sharing;
  private admissionMemory: SharedArrayBuffer | null = null;
  private breakerMemory: SharedArrayBuffer | null = null;
  private rules: readonly Rule[] = [];
  private admission: Admission | null = null;
  private admissionSettings: AdmissionSettings = unlimited;

  /** `onTransition` hears of every breaker this target ever has. */
  constructor(target: string, onTransition?: (transition: BreakerTransition) => void, sharing = notShared) {
    this.target = target;
    this.onTransition = onTransition;
    this.sharing = sharing;
  }

  /**
   * null: no policy is about the target. Everything is built before anything is replaced. `given`: where the limits'
   * numbers stand already, from the thread that applied the policy first.
   */
  apply(spec: PolicySpec | null, origin: PolicyOrigin, nowMs: number, given: PolicyMemory | null = null): void {
    const settings = compile(spec);
    const rules = settings.inbound.rateLimits.map((limit, i) => this.ruleFor(limit, given?.rules[i] ?? null));
    const wanted = settings.inbound.admission;
    if (wanted !== null && this.admission === null) {
      this.admissionMemory = given?.admission ?? memoryForAdmission(this.sharing);
      this.admission = new Admission(wanted, this.sharing.seat, this.admissionMemory ?? undefined);
      this.admissionSettings = wanted;
    }
    const admission = wanted === null ? null : this.admission;
    const breaker = this.breakerFor(settings.outbound, given?.breaker ?? null);

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

  /** For the other threads' `given`. */
  get memory(): PolicyMemory {
    return {
      rules: this.rules.map((rule) => rule.memory),
      admission: this.admissionMemory,
      breaker: this.outbound.breaker === null ? null : this.breakerMemory,
    };
  }

  /** Another thread granted permits to this one. */
  onGranted(nowMs: number): void {
    this.admission?.onGranted(nowMs);
  }

  /** That thread is dead: what it held of the limits is free again. */
  abandon(seat: number, nowMs: number): void {
    this.admission?.abandon(seat, nowMs);
  }

  private ruleFor(settings: RateLimitSettings, given: SharedArrayBuffer | null): Rule {
    const kept = this.rules.find((rule) => isSame(rule.settings, settings));
    return kept ?? new Rule(settings, given ?? memoryForRule(this.sharing, settings), this.sharing);
  }

  private breakerFor({ breaker: settings }: OutboundSettings, given: SharedArrayBuffer | null): Breaker | null {
    if (settings === null) return null;
    if (this.outbound.breaker !== null) return this.outbound.breaker;
    this.breakerMemory = given ?? memoryForBreaker(this.sharing);
    if (this.breakerMemory === null) return new Breaker(settings, this.onTransition);
    return new SharedBreaker(settings, this.onTransition, this.breakerMemory, ownerOf(this.sharing.seat));
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

function isSame(left: object, right: object): boolean {
  return left === right || canonicalJson(left) === canonicalJson(right);
}
