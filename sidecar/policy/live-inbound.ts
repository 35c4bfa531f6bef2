/**
 * The inbound side in force for a service or for one of its routes, with what has state. A route has a rate limiter or
 * an admission of its own only for the sections that it names; else it is the service's, whose limits then count the
 * route's requests with all others.
 */
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import { Admission, type AdmissionSettings } from '../admission/admission.ts';
import { LevelControl, type LevelSettings } from '../admission/level-control.ts';
import { unlimited } from './compile-admission.ts';
import { type InboundSettings, passThroughInboundSettings } from './compile-inbound.ts';
import type { RateLimitSettings } from './compile-rate-limits.ts';
import type { CompiledInbound } from './compiled.ts';
import { RateLimitSignals } from './rate-limit-signals.ts';
import type { RouteCounts } from './route-counts.ts';
import { Rule } from './rule.ts';
import { memoryForAdmission, memoryForLimit, memoryForRule, type PolicyMemory, type Sharing } from './sharing.ts';

/** Shared by every target without a policy. */
export const passThroughInbound: CompiledInbound = {
  ...passThroughInboundSettings,
  rateLimits: [],
  rateLimitSignals: null,
  admission: null,
  levels: null,
  essential: true,
  counts: null,
};

/** What makes a route of the service's settings. */
export interface RouteOf<Compiled> {
  readonly service: Compiled;
  readonly own: ReadonlySet<string>;
  readonly essential: boolean;
  readonly counts: RouteCounts;
}

export class LiveInbound {
  rules: readonly Rule[] = [];
  /** One for the life of the service or route, also while it is not in force. */
  admission: Admission | null = null;
  private admissionMemory: SharedArrayBuffer | null = null;
  /** What the algorithm of the limit knows; another one gets memory of its own. */
  private limitMemory: SharedArrayBuffer | null = null;
  private levels: LevelControl | null = null;
  private readonly sharing: Sharing;
  private admissionSettings: AdmissionSettings = unlimited;

  constructor(sharing: Sharing) {
    this.sharing = sharing;
  }

  /** It has an admission, and that is in force. */
  get isLimiting(): boolean {
    return this.admission !== null && this.admissionSettings !== unlimited;
  }

  /** What will be in force; nothing that is in force changes yet. `given`: see LivePolicy.apply. */
  build(
    settings: InboundSettings,
    given: PolicyMemory | null,
    route: RouteOf<CompiledInbound> | null = null,
  ): { readonly inbound: CompiledInbound; readonly rules: readonly Rule[] } {
    const owns = (section: string): boolean => route === null || route.own.has(section);
    const rules = owns('rateLimits')
      ? settings.rateLimits.map((limit, i) => this.ruleFor(limit, given?.rules[i] ?? null))
      : [];
    const inbound: CompiledInbound = {
      ...settings,
      rateLimits: owns('rateLimits') ? rules : route!.service.rateLimits,
      rateLimitSignals: owns('rateLimits') ? signalsOf(rules) : route!.service.rateLimitSignals,
      admission: owns('concurrency') ? this.admissionFor(settings.admission, given) : route!.service.admission,
      levels: route === null ? this.levelsFor(settings.levels) : route.service.levels,
      essential: route?.essential ?? true,
      counts: route?.counts ?? null,
    };
    return { inbound, rules };
  }

  get memory(): Pick<PolicyMemory, 'rules' | 'admission' | 'limit'> {
    const rules = this.rules.map((rule) => rule.memory);
    return { rules, admission: this.admissionMemory, limit: this.limitMemory };
  }

  /** The thread at that seat is dead: what it held of the limits is free again. */
  abandon(seat: number, nowMs: number): void {
    for (const rule of this.rules) rule.abandon(seat);
    this.admission?.abandon(seat, nowMs);
  }

  /** Calls back: whoever is admitted or refused now already meets the new policy. */
  reconfigure(settings: AdmissionSettings, nowMs: number, given: PolicyMemory | null): void {
    const before = this.admissionSettings;
    if (this.admission === null || isSame(before, settings)) return;
    this.admissionSettings = settings;
    if (!isSame(before.algorithm ?? {}, settings.algorithm ?? {})) this.limitMemory = this.memoryFor(settings, given);
    this.admission.reconfigure(settings, nowMs, cellsIn(this.limitMemory));
  }

  private memoryFor({ algorithm }: AdmissionSettings, given: PolicyMemory | null): SharedArrayBuffer | null {
    return algorithm === undefined ? null : (given?.limit ?? memoryForLimit(this.sharing));
  }

  private levelsFor(settings: LevelSettings | null): LevelControl | null {
    if (settings === null || this.levels === null || !isSame(this.levels.settings, settings)) {
      this.levels = settings === null ? null : new LevelControl(settings);
    }
    return this.levels;
  }

  private ruleFor(settings: RateLimitSettings, given: SharedArrayBuffer | null): Rule {
    const kept = this.rules.find((rule) => isSame(rule.settings, settings));
    if (kept !== undefined) return kept;
    // A share of the fleet's limit is the leader's to change: until it does, the one that is held stands.
    const former = this.rules.find((rule) => sharesTheSame(rule.settings, settings));
    const memory = given ?? former?.memory ?? memoryForRule(this.sharing, settings);
    return new Rule(settings, memory, this.sharing, former?.fleet);
  }

  private admissionFor(wanted: AdmissionSettings | null, given: PolicyMemory | null): Admission | null {
    if (wanted === null) return null;
    if (this.admission === null) {
      this.admissionMemory = given?.admission ?? memoryForAdmission(this.sharing);
      this.limitMemory = this.memoryFor(wanted, given);
      const { seat, delivery } = this.sharing;
      const memory = this.admissionMemory ?? undefined;
      this.admission = new Admission(wanted, { seat, memory, cells: cellsIn(this.limitMemory), delivery });
      this.admissionSettings = wanted;
    }
    return this.admission;
  }
}

function cellsIn(memory: SharedArrayBuffer | null): Float64Array | undefined {
  return memory === null ? undefined : new Float64Array(memory);
}

function signalsOf(rules: readonly Rule[]): RateLimitSignals | null {
  return rules.length === 0 ? null : new RateLimitSignals(rules.map(({ settings }) => settings));
}

function sharesTheSame(left: RateLimitSettings, right: RateLimitSettings): boolean {
  if (left.fleet === null || right.fleet === null) return false;
  return left.name === right.name && left.fleet.chunks === right.fleet.chunks;
}

/** Settings that say the same. */
export function isSame(left: object, right: object): boolean {
  return left === right || canonicalJson(left) === canonicalJson(right);
}
