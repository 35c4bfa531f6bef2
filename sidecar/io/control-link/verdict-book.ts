/**
 * Which fleet verdict stands for each target, and for how long yet. Older (epoch, generation) pairs are refused; an
 * equal one is a repetition, which renews the time to live. Pure. Bounded by the targets in use, of which the link
 * follows a bounded number.
 */
import type { Verdict } from '../../../proto/fleet-messages.ts';

export interface StandingVerdict {
  readonly verdict: Verdict;
  readonly expiresAtMs: number;
}

/** However long a leader says: a verdict without a leader must end. */
export const verdictTtlMaxMs = 60_000;

export class VerdictBook {
  private readonly standing = new Map<string, StandingVerdict>();

  /** Takes a verdict; undefined when it is older than the one that is known. */
  accept(verdict: Verdict, nowMs: number): StandingVerdict | undefined {
    const known = this.standing.get(verdict.target)?.verdict;
    if (known && isOlder(verdict, known)) return undefined;
    const ttlMs = Math.min(verdict.ttlMs, verdictTtlMaxMs);
    const accepted = { verdict, expiresAtMs: nowMs + ttlMs };
    this.standing.set(verdict.target, accepted);
    return accepted;
  }

  /** The last one heard, expired or not: reports name its epoch and generation. */
  lastOf(target: string): StandingVerdict | undefined {
    return this.standing.get(target);
  }
}

function isOlder(verdict: Verdict, than: Verdict): boolean {
  if (verdict.epoch !== than.epoch) return verdict.epoch < than.epoch;
  return verdict.generation < than.generation;
}
