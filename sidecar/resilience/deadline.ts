/**
 * Deadlines on the wire are relative (`grpc-timeout`: time left, not a point in time), because two machines do not share
 * a clock. Inside, they are milliseconds.
 */

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const digitsMax = 8;
const valueMax = 10 ** digitsMax - 1;

/** Milliseconds left; undefined when the text is not one to eight digits and a unit (H M S m u n). */
export function parseGrpcTimeoutMs(text: string): number | undefined {
  const digits = text.length - 1;
  if (digits < 1 || digits > digitsMax) return undefined;
  const unit = unitMs[text[digits]!];
  if (unit === undefined) return undefined;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value * unit;
}

/** Never longer than what is left, in the finest unit that eight digits can hold; `1n` when nothing is left. */
export function formatGrpcTimeout(leftMs: number): string {
  if (!(leftMs > 0)) return '1n';
  const us = Math.floor(leftMs * 1000);
  if (us < 1) return '1n';
  if (us <= valueMax) return `${us}u`;
  const ms = Math.floor(leftMs);
  if (ms <= valueMax) return `${ms}m`;
  return `${Math.min(valueMax, Math.floor(leftMs / 1000))}S`;
}

export interface TimeoutBounds {
  /** For requests that bring none; 0 = none. */
  readonly defaultMs: number;
  /** Longer ones are cut to this; 0 = none. */
  readonly maxMs: number;
}

/** Stands for a deadline that has passed on arrival, since 0 means that there is none. */
const leastTimeoutMs = 1e-6;

/** The time a request may take, from what it asked for (undefined: nothing) and policy; 0 = no deadline. */
export function boundedTimeoutMs(requestedMs: number | undefined, bounds: TimeoutBounds): number {
  const timeoutMs = requestedMs === undefined ? bounds.defaultMs : Math.max(leastTimeoutMs, requestedMs);
  if (bounds.maxMs === 0) return timeoutMs;
  return timeoutMs === 0 ? bounds.maxMs : Math.min(timeoutMs, bounds.maxMs);
}
