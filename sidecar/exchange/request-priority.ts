/**
 * How important a request is, and on whose account it comes: decided where it enters the mesh, taken over from there on.
 *
 *   inbound    a caller of the mesh says it (weir-tier …), else the rules of the own policy ──▶ remembered by trace
 *   outbound   the app says it, else the trace does, else the rules of the target's policy  ──▶ told to the target
 *
 * An app that forwards neither `traceparent` nor weir-tier loses it, which is counted. Calls for a request have no more time
 * than it has itself, for as long as its caller waits.
 */
import { fnv1a } from '../../proto/kernel/fnv.ts';
import type { Random } from '../../proto/kernel/random.ts';
import { lessImportant, Tier, userLevelCount } from '../../proto/tiers.ts';
import type { CallerKey, PriorityClasses } from '../policy/priority-classes.ts';
import type { RequestView } from './context.ts';
import type { ContextTable } from './context-table.ts';
import { TraceId } from './traceparent.ts';
import { ToldPriority } from './weir-fields.ts';

const hourMs = 3_600_000;
const traceparent = 'traceparent';

export interface RequestPriorityOptions {
  readonly table: ContextTable;
  readonly random: Random;
  /** Wall time at the monotonic clock's zero, ms: user levels change with the hour of the day, alike at all replicas. */
  readonly wallOriginMs: number;
}

export class RequestPriority {
  readonly table: ContextTable;
  private readonly random: Random;
  private readonly wallOriginMs: number;
  private readonly id = new TraceId();
  private readonly told = new ToldPriority();

  constructor({ table, random, wallOriginMs }: RequestPriorityOptions) {
    this.table = table;
    this.random = random;
    this.wallOriginMs = wallOriginMs;
  }

  /** Of a request that came in. `classes`: null where the policy has none, but needs a priority for its levels. */
  enter(request: RequestView, classes: PriorityClasses | null, nowMs: number): void {
    const { head, peerIdentity, isFromMesh } = request;
    const mayTell = isFromMesh || classes?.trusts(peerIdentity) === true;
    if (mayTell) this.told.read(head);
    else this.told.clear();
    const { tier, userLevel, tenant, standsFor } = this.told;
    request.tier = tier >= 0 ? tier : Tier.normal;
    request.tenant = tenant;
    if (isFromMesh) request.standsFor = standsFor;
    if (classes !== null) {
      const rule = classes.ruleFor(head, peerIdentity);
      request.isEssential = rule.essential;
      if (tier < 0) request.tier = rule.tier;
      if (tenant === '' && classes.tenant !== null) request.tenant = callerValue(classes.tenant, request);
    }
    // A sidecar that tells a tier has done so itself.
    if (tier < 0 && request.isRetry) request.tier = lessImportant(request.tier);
    request.userLevel = userLevel >= 0 ? userLevel : this.userLevelOf(request, classes, nowMs);
  }

  /** It goes to the app, whose calls will be made for it. */
  remember(request: RequestView, nowMs: number): void {
    if (this.id.read(request.head.get(traceparent))) this.table.remember(this.id, request, nowMs);
  }

  /** Its caller has the answer: what the app still does has all the time it likes. */
  answered(request: RequestView, nowMs: number): void {
    if (request.deadlineMs > 0 && this.id.read(request.head.get(traceparent))) {
      this.table.forgetDeadline(this.id, nowMs);
    }
  }

  /** Of a call that the app makes. `links`: whether requests are remembered here. `classes`: of the target's policy. */
  inherit(request: RequestView, links: boolean, classes: PriorityClasses | null, nowMs: number): void {
    const { tier, userLevel, tenant } = this.told.read(request.head);
    const isLinked = links && this.link(request, tier < 0, nowMs);
    request.carries = true;
    if (tier >= 0) {
      request.tier = tier;
      request.tenant = tenant;
    } else if (isLinked) return;
    else if (classes !== null) request.tier = classes.ruleFor(request.head, '').tier;
    request.userLevel = userLevel >= 0 ? userLevel : this.userLevelOf(request, classes, nowMs);
  }

  /** Of a call that the app makes: the request that it is for was sent before. */
  isRetriedAbove({ head }: RequestView, nowMs: number): boolean {
    const { table, id } = this;
    if (!table.mayHaveRetries(nowMs) || !id.read(head.get(traceparent))) return false;
    return table.find(id, nowMs, false) && table.context.isRetry;
  }

  /** `counts`: nothing else says how important the call is, so it matters. */
  private link(request: RequestView, counts: boolean, nowMs: number): boolean {
    const { table, id } = this;
    if (!id.read(request.head.get(traceparent))) {
      if (counts) table.countUntraced();
      return false;
    }
    if (!table.find(id, nowMs, counts)) return false;
    const { context } = table;
    request.tier = context.tier;
    request.userLevel = context.userLevel;
    request.tenant = context.tenant;
    const { deadlineMs } = context;
    if (deadlineMs > 0 && (request.deadlineMs === 0 || deadlineMs < request.deadlineMs))
      request.deadlineMs = deadlineMs;
    return true;
  }

  private userLevelOf(request: RequestView, classes: PriorityClasses | null, nowMs: number): number {
    const hour = Math.floor((this.wallOriginMs + nowMs) / hourMs);
    const user = classes === null || classes.user === null ? '' : callerValue(classes.user, request);
    if (user !== '') return spread(fnv1a(user) ^ hour);
    // All calls for one request share its trace, and so its fate; the secret keeps anybody from choosing a good one.
    if (this.id.read(request.head.get(traceparent))) return spread(this.table.hashOf(this.id) ^ hour);
    return Math.floor(this.random.next() * userLevelCount);
  }
}

function callerValue({ kind, header }: CallerKey, request: RequestView): string {
  if (kind === 'header') return request.head.get(header) ?? '';
  return kind === 'identity' ? request.peerIdentity : request.peerAddress;
}

/** Bits that depend on all others. */
function spread(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x45d9f3b);
  return (mixed ^ (mixed >>> 16)) & (userLevelCount - 1);
}
