/** Quantities of a valid spec as numbers. */
import { assert } from '../../proto/kernel/assert.ts';
import { parseDuration } from '../../proto/kernel/duration.ts';
import { parseSize } from '../../proto/kernel/size.ts';
import { parseRate } from '../../proto/policy/rate.ts';

/** 0 where there is none. */
export function milliseconds(text: string | undefined): number {
  if (text === undefined) return 0;
  const durationMs = parseDuration(text);
  assert(durationMs !== undefined, `not a duration: ${text}`);
  return durationMs;
}

export function bytes(text: string): number {
  const size = parseSize(text);
  assert(size !== undefined, `not a size: ${text}`);
  return size;
}

export function perSecond(text: string): number {
  const rate = parseRate(text);
  assert(rate !== undefined, `not a rate: ${text}`);
  return rate;
}
