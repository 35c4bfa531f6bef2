/**
 * Callers whose failures are their own. While most callers of a target fare well, one that fails has a fault on its side
 * of the wire: the fleet names it, gives it no probe tokens, and does not count it when it judges a ramp, since one
 * broken caller would otherwise keep a healthy target shut for everybody.
 *
 * A finding must last a moment: when a target dies, some callers see it before the others do, and are no culprits.
 */
import type { Voter } from './voters.ts';

/** The shorter one for callers that said enough in it. */
const windowsMs = [1000, 2000] as const;
const windowMs = windowsMs[1];
const enough = 4;
const failuresMin = 2;
/** So far above the median, which itself is below: the rest is well. */
const aboveMedian = 0.4;
const medianMax = 0.1;
const lastsMs = 300;
/** Named for so long after the last time it was found. */
const namedForMs = 10_000;
/** A breaker that opens shows that the first to fail were no culprits. */
const acquittedMs = 3000;
export const suspectsMax = 64;

interface Finding {
  readonly sinceMs: number;
  seenAtMs: number;
  named: boolean;
}

export class Suspects {
  private readonly findings = new Map<string, Finding>();
  private names: ReadonlySet<string> = new Set();

  get named(): ReadonlySet<string> {
    return this.names;
  }

  /** Looks at everybody; true when the names changed. */
  look(voters: ReadonlyMap<string, Voter>, nowMs: number): boolean {
    const failing: string[] = [];
    const shares: number[] = [];
    const shareOf = new Map<string, number>();
    for (const [key, voter] of voters) {
      const recent = voter.within(windowsMs[0], nowMs);
      const { n, fail } = recent.n >= enough ? recent : voter.within(windowMs, nowMs);
      if (n <= 0) continue;
      const share = fail / n;
      shares.push(share);
      shareOf.set(key, share);
      if (fail >= failuresMin) failing.push(key);
    }
    shares.sort((a, b) => a - b);
    const median = shares[shares.length >> 1] ?? 1;
    if (median < medianMax && shares.length >= 3) {
      for (const key of failing) if (shareOf.get(key)! - median > aboveMedian) this.find(key, nowMs);
    }
    return this.settle(nowMs);
  }

  /** The target is down for all: what was found since shortly before is void. */
  acquit(nowMs: number): void {
    for (const [key, { sinceMs }] of this.findings) if (nowMs - sinceMs < acquittedMs) this.findings.delete(key);
    this.settle(nowMs);
  }

  private find(key: string, nowMs: number): void {
    const known = this.findings.get(key);
    if (known !== undefined) known.seenAtMs = nowMs;
    else if (this.findings.size < suspectsMax)
      this.findings.set(key, { sinceMs: nowMs, seenAtMs: nowMs, named: false });
  }

  private settle(nowMs: number): boolean {
    for (const [key, finding] of this.findings) {
      if (!finding.named && finding.seenAtMs - finding.sinceMs >= lastsMs) finding.named = true;
      const keptMs = finding.named ? namedForMs : windowMs;
      if (nowMs - finding.seenAtMs > keptMs) this.findings.delete(key);
    }
    const names = [...this.findings].filter(([, { named }]) => named).map(([key]) => key);
    const changed = names.length !== this.names.size || names.some((name) => !this.names.has(name));
    if (changed) this.names = new Set(names);
    return changed;
  }
}
