/**
 * The RateLimit and RateLimit-Policy fields of a policy's limits (draft-ietf-httpapi-ratelimit-headers), structured fields:
 *
 *   RateLimit-Policy: "per-client";q=100;w=60, "total";q=500;w=1      every limit: q at once, w seconds until it is whole
 *   RateLimit: "per-client";r=42;t=17                                 r may still come within the next t seconds
 *
 * Texts are made once and kept: r is rounded down and t up to two significant digits, so there are few of them, and what is
 * told is never too much. Keys are not told to anybody.
 */
import type { MeterOptions } from '../admission/meter.ts';

export interface RateLimitSignal {
  readonly policy: string;
  readonly limit: string;
}

/** Texts kept; beyond that they are made anew. */
const keptMax = 2048;
const secondsMax = 86_400;

interface Signalled {
  readonly name: string;
  readonly meter: MeterOptions;
}

export class RateLimitSignals {
  private readonly limits: readonly Signalled[];
  private readonly policy: string;
  private readonly kept = new Map<number, RateLimitSignal>();

  constructor(limits: readonly Signalled[]) {
    this.limits = limits;
    this.policy = limits.map(policyItem).join(', ');
  }

  /** For the limit of that index: what is left of it, and for how long that is true. */
  of(index: number, remaining: number, steadyMs: number): RateLimitSignal {
    const left = roundDown(remaining);
    const seconds = roundUp(Math.min(secondsMax, Math.max(1, Math.ceil(steadyMs / 1000))));
    const key = (left * (secondsMax + 1) + seconds) * 16 + index;
    let signal = this.kept.get(key);
    if (signal === undefined) {
      if (this.kept.size >= keptMax) this.kept.clear();
      signal = { policy: this.policy, limit: `"${this.limits[index]!.name}";r=${left};t=${seconds}` };
      this.kept.set(key, signal);
    }
    return signal;
  }
}

/** What a limit admits at once after a quiet time; of a leaky bucket, who may come at once and be served in time. */
export function quotaOf(meter: MeterOptions): number {
  switch (meter.kind) {
    case 'tokenBucket':
      return meter.burst;
    case 'leakyBucket':
      return 1 + Math.floor((meter.waitMaxMs * meter.ratePerSecond) / 1000);
    default:
      return meter.limit;
  }
}

/** `w` is whole seconds (and optional): a window that is none is left out. Names are DNS labels, so nothing is escaped. */
function policyItem({ name, meter }: Signalled): string {
  const quota = quotaOf(meter);
  const seconds = 'windowMs' in meter ? meter.windowMs / 1000 : Math.ceil(quota / meter.ratePerSecond);
  return `"${name}";q=${quota}${Number.isInteger(seconds) ? `;w=${seconds}` : ''}`;
}

function roundDown(count: number): number {
  if (count < 100) return count;
  const unit = 10 ** (Math.floor(Math.log10(count)) - 1);
  return Math.floor(count / unit) * unit;
}

function roundUp(count: number): number {
  if (count < 100) return count;
  const unit = 10 ** (Math.floor(Math.log10(count)) - 1);
  return Math.ceil(count / unit) * unit;
}
