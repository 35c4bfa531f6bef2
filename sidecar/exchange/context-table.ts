/**
 * What the inbound side knows of a trace and the outbound side wants to know when the app calls on: tier, user level,
 * tenant, deadline, and whether it is a retry. An app need do nothing but forward `traceparent`, which most do; a sidecar cannot link the two calls by
 * anything else.
 *
 * The table is set-associative: a trace id names a bucket of eight, and the newest takes the place of its older self, of
 * what has expired, else of the oldest there. So it is bounded, a look-up costs at most eight comparisons, nothing is ever
 * rehashed, swept or collected, and what is lost at the bound is what was remembered longest ago. (Generations of a table
 * with open probing would forget half of it at once, and probe further the fuller it is.) The bucket is chosen with a
 * secret, since strangers choose trace ids.
 *
 * Two requests of one trace that are under way at once are one entry: the less important of the two tiers, so that nobody
 * rises by showing a trace of somebody else's, and the later deadline; a retry stays one.
 *
 * All of it is one block of memory, which the threads of a proxy share, since the app's calls arrive at any of them. A
 * tenant of more than 40 characters, or beyond Latin-1, is not remembered; its requests are nobody's further on.
 */
import { lockBytes, lockOf, type SharedLock } from '../../proto/kernel/shared-lock.ts';
import type { TraceId } from './traceparent.ts';

/** Traces that are remembered at once. */
export const contextsMax = 32_768;
/** For so long: calls that come later were not made for the request. */
export const contextTtlMs = 60_000;

const ways = 8;
const buckets = contextsMax / ways;
const tenantBytesMax = 40;

/** Words of an entry's whole numbers. */
const trace = 0;
/** Tier, user level, length of the tenant, whether it is a retry. */
const meta = 4;
const retryBit = 1 << 24;
const tenantAt = 6;
const wordsPerEntry = tenantAt + tenantBytesMax / 4;
/** Words of its times. */
const rememberedAt = 0;
const deadlineAt = 1;
const timesPerEntry = 2;

/** Counters, in the table's memory so that threads add to the same. */
const found = 0;
const unknownTrace = 1;
const noTrace = 2;
/** When a retry was remembered last; 0 = never. */
const retryAt = 3;
const counterCount = 4;

const timesBegin = lockBytes + 8 * counterCount;
const wordsBegin = timesBegin + 8 * timesPerEntry * contextsMax;

/** What a request brings along; a request itself is one. */
export interface RequestContext {
  readonly tier: number;
  readonly userLevel: number;
  readonly tenant: string;
  /** 0 = none. */
  readonly deadlineMs: number;
  /** It was sent before: calls for it are not tried again. */
  readonly isRetry: boolean;
}

export class ContextTable {
  static readonly bytes = wordsBegin + 4 * wordsPerEntry * contextsMax;

  /** What the last find() found; read it before the next. */
  readonly context = { tier: 0, userLevel: 0, tenant: '', deadlineMs: 0, isRetry: false };
  private readonly lock: SharedLock | null;
  private readonly counters: Float64Array;
  private readonly times: Float64Array;
  private readonly words: Int32Array;
  private readonly seed: number;
  /** The tenant that was read last: most look-ups find the same few. */
  private lastTenant = '';

  /** `seed`: secret, and the same in all threads. `memory` zeroed, or another thread's table. */
  constructor(seed: number, memory: ArrayBufferLike = new ArrayBuffer(ContextTable.bytes), owner = 1) {
    this.seed = seed | 0;
    this.lock = lockOf(memory, owner);
    this.counters = new Float64Array(memory, lockBytes, counterCount);
    this.times = new Float64Array(memory, timesBegin, timesPerEntry * contextsMax);
    this.words = new Int32Array(memory, wordsBegin, wordsPerEntry * contextsMax);
  }

  /** Calls that were linked to the request they were made for. */
  get foundTotal(): number {
    return this.counters[found]!;
  }

  /** Calls with a trace that is not, or no longer, known here. */
  get unknownTotal(): number {
    return this.counters[unknownTrace]!;
  }

  /** Calls without `traceparent`. */
  get untracedTotal(): number {
    return this.counters[noTrace]!;
  }

  remember(id: TraceId, from: RequestContext, nowMs: number): void {
    const { tier, deadlineMs, isRetry } = from;
    this.lock?.acquire();
    const { times } = this;
    if (isRetry) this.counters[retryAt] = nowMs;
    const known = this.entryOf(id, nowMs);
    const entry = known >= 0 ? known : this.placeFor(id);
    let keptTier = tier;
    let keptRetry = isRetry;
    let keptDeadlineMs = deadlineMs;
    if (known >= 0) {
      const deadlineBeforeMs = times[known * timesPerEntry + deadlineAt]!;
      const packed = this.words[known * wordsPerEntry + meta]!;
      keptTier = Math.max(tier, packed & 0xff);
      keptRetry = isRetry || (packed & retryBit) !== 0;
      keptDeadlineMs = deadlineMs === 0 || deadlineBeforeMs === 0 ? 0 : Math.max(deadlineMs, deadlineBeforeMs);
    }
    this.write(entry, id, keptTier, keptRetry, from);
    times[entry * timesPerEntry + rememberedAt] = nowMs;
    times[entry * timesPerEntry + deadlineAt] = keptDeadlineMs;
    this.lock?.release();
  }

  /** The request has its answer: what the app still does for it is under no deadline. */
  forgetDeadline(id: TraceId, nowMs: number): void {
    this.lock?.acquire();
    const entry = this.entryOf(id, nowMs);
    if (entry >= 0) this.times[entry * timesPerEntry + deadlineAt] = 0;
    this.lock?.release();
  }

  /** Fills `context`; false when the trace is not known. Counted unless it does not matter. */
  find(id: TraceId, nowMs: number, counts = true): boolean {
    this.lock?.acquire();
    const entry = this.entryOf(id, nowMs);
    if (counts) this.counters[entry < 0 ? unknownTrace : found]! += 1;
    if (entry >= 0) this.read(entry);
    this.lock?.release();
    return entry >= 0;
  }

  /** Whether any trace that is remembered can be a retry: mostly none is, and nobody need look for it. */
  mayHaveRetries(nowMs: number): boolean {
    const atMs = this.counters[retryAt]!;
    return atMs > 0 && nowMs - atMs < contextTtlMs;
  }

  countUntraced(): void {
    this.lock?.acquire();
    this.counters[noTrace]! += 1;
    this.lock?.release();
  }

  /** Keyed by the secret. */
  hashOf({ words }: TraceId): number {
    let hash = this.seed;
    for (let i = 0; i < 4; i++) {
      hash = Math.imul(hash ^ words[i]!, 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  private entryOf(id: TraceId, nowMs: number): number {
    const { words, times } = this;
    const first = this.bucketOf(id) * ways;
    for (let entry = first; entry < first + ways; entry++) {
      if (!isOf(words, entry, id)) continue;
      return nowMs - times[entry * timesPerEntry + rememberedAt]! < contextTtlMs ? entry : -1;
    }
    return -1;
  }

  /** Where it stood before it expired, else the place of the oldest; one that was never used is older than all. */
  private placeFor(id: TraceId): number {
    const { words, times } = this;
    const first = this.bucketOf(id) * ways;
    let oldest = first;
    for (let entry = first; entry < first + ways; entry++) {
      if (isOf(words, entry, id)) return entry;
      if (times[entry * timesPerEntry]! < times[oldest * timesPerEntry]!) oldest = entry;
    }
    return oldest;
  }

  private write(
    entry: number,
    id: TraceId,
    tier: number,
    isRetry: boolean,
    { userLevel, tenant }: RequestContext,
  ): void {
    const { words } = this;
    const at = entry * wordsPerEntry;
    words[at + trace] = id.words[0]!;
    words[at + trace + 1] = id.words[1]!;
    words[at + trace + 2] = id.words[2]!;
    words[at + trace + 3] = id.words[3]!;
    const length = isStorable(tenant) ? tenant.length : 0;
    words[at + meta] = tier | (userLevel << 8) | (length << 16) | (isRetry ? retryBit : 0);
    for (let i = 0; i < length; i += 4) {
      let word = 0;
      for (let j = 0; j < 4 && i + j < length; j++) word |= tenant.charCodeAt(i + j) << (8 * j);
      words[at + tenantAt + i / 4] = word;
    }
  }

  private read(entry: number): void {
    const at = entry * wordsPerEntry;
    const packed = this.words[at + meta]!;
    const { context } = this;
    context.tier = packed & 0xff;
    context.userLevel = (packed >> 8) & 0xff;
    context.tenant = this.tenantOf(at + tenantAt, (packed >> 16) & 0xff);
    context.isRetry = (packed & retryBit) !== 0;
    context.deadlineMs = this.times[entry * timesPerEntry + deadlineAt]!;
  }

  /** The string that was read last where it is the same, so that look-ups of one tenant leave nothing behind. */
  private tenantOf(at: number, length: number): string {
    const { lastTenant } = this;
    let isLast = lastTenant.length === length;
    for (let i = 0; i < length && isLast; i++) isLast = lastTenant.charCodeAt(i) === this.charAt(at, i);
    if (isLast) return lastTenant;
    let text = '';
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.charAt(at, i));
    this.lastTenant = text;
    return text;
  }

  private charAt(at: number, i: number): number {
    return (this.words[at + (i >> 2)]! >> (8 * (i & 3))) & 0xff;
  }

  private bucketOf(id: TraceId): number {
    return (this.hashOf(id) >>> 0) % buckets;
  }
}

function isOf(words: Int32Array, entry: number, id: TraceId): boolean {
  const at = entry * wordsPerEntry + trace;
  const { words: own } = id;
  return words[at] === own[0] && words[at + 1] === own[1] && words[at + 2] === own[2] && words[at + 3] === own[3];
}

function isStorable(tenant: string): boolean {
  if (tenant.length > tenantBytesMax) return false;
  for (let i = 0; i < tenant.length; i++) {
    if (tenant.charCodeAt(i) > 0xff) return false;
  }
  return true;
}
