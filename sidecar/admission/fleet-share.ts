/**
 * What one instance holds of a rate limit of the fleet, as a row of numbers: a rate for a time (lease-share.ts) or a number
 * of requests for a time (chunk-share.ts). Both keep a level of cost that may be admitted now.
 *
 * Time never runs backwards for a row: a thread whose clock is behind the others' finds the level as they left it.
 */
export interface Lease {
  /** Cost per second. */
  readonly rate: number;
  readonly burst: number;
  /** When the lease has run out, for `safeForMs`. */
  readonly safeRate: number;
  readonly safeBurst: number;
  readonly safeForMs: number;
  /** Of chunks. */
  readonly chunk: number;
}

export interface FleetShare {
  /** How many numbers a row has. The first is the level, the second the time at which what was granted last runs out. */
  readonly numbers: number;
  /** Brings the level up to date. */
  refill(row: Float64Array, at: number, nowMs: number): void;
  /** After a refill. Whatever was granted brings no burst: the level only falls, except by a chunk. */
  grant(row: Float64Array, at: number, lease: Lease, endsMs: number): void;
  /** Nothing more is admitted by anything that was granted. */
  end(row: Float64Array, at: number): void;
  /** What comes in at that time, cost per second. */
  rateAt(row: Float64Array, at: number, nowMs: number): number;
  /** What comes in once what was granted last has run out. */
  safeRate(row: Float64Array, at: number): number;
}

export const levelAt = 0;
export const endsAt = 1;
