/**
 * Slack for rounding: sums of fractional milliseconds would otherwise refuse the last request of a full burst, or a caller
 * who comes back exactly when it was told to. A microsecond holds for bursts of thousands after months of uptime; where
 * requests are closer than that, it is a hundredth of one. It never admits a whole request more.
 */
export const roundingMaxMs = 1e-3;
const roundingMaxShare = 0.01;

/** The slack between requests that are so far apart. */
export function roundingFor(intervalMs: number): number {
  return Math.min(roundingMaxMs, roundingMaxShare * intervalMs);
}
