/**
 * Which endpoints of a target fail. When its failures are confined to some of them while the rest serve, those are taken
 * out for the whole fleet, and the breaker stays closed: half a service is better than none.
 */
import type { EndpointCounts } from '../../proto/fleet-messages.ts';
import { CallerCounts } from './caller-counts.ts';

/** Endpoints of one target that are counted apart; failures of the others count as those of the rest. */
export const endpointsMax = 256;
const failShareMin = 0.5;
const restFailShareMax = 0.1;
const requestsMin = 2;
const restRequestsMin = 10;
/** Then it is tried again. */
export const ejectedForMs = 10_000;
const sureAfterMs = 200;
const idleMs = 10_000;

export class FailingEndpoints {
  private readonly counts = new Map<string, CallerCounts>();
  private confinedSinceMs = Number.POSITIVE_INFINITY;
  private readonly untilMs = new Map<string, number>();

  hear(endpoints: readonly EndpointCounts[], intervalMs: number, nowMs: number): void {
    for (const { address, n, fail } of endpoints) {
      if (fail > n) continue;
      let known = this.counts.get(address);
      if (known === undefined) {
        if (!this.hasRoom(nowMs)) continue;
        known = new CallerCounts();
        this.counts.set(address, known);
      }
      known.demandAtMs = nowMs;
      known.add({ n, fail, intervalMs }, nowMs);
    }
  }

  /**
   * Those that fail, when others are seen to serve; none when it is not so. Only what was said of endpoints counts, and
   * it must have been so for a moment: when all go down, some do before the others.
   */
  confined(windowMs: number, nowMs: number): { readonly failing: readonly string[]; readonly isSure: boolean } {
    const failing: string[] = [];
    let n = 0;
    let fail = 0;
    for (const [address, counts] of this.counts) {
      const seen = counts.within(windowMs, nowMs);
      if (seen.n >= requestsMin && seen.fail >= failShareMin * seen.n) failing.push(address);
      else {
        n += seen.n;
        fail += seen.fail;
      }
    }
    const isConfined = failing.length > 0 && n >= restRequestsMin && fail <= restFailShareMax * n;
    if (!isConfined) this.confinedSinceMs = Number.POSITIVE_INFINITY;
    else if (this.confinedSinceMs > nowMs) this.confinedSinceMs = nowMs;
    return { failing: isConfined ? failing : [], isSure: nowMs - this.confinedSinceMs >= sureAfterMs };
  }

  eject(addresses: readonly string[], nowMs: number): void {
    for (const address of addresses) this.untilMs.set(address, nowMs + ejectedForMs);
    this.counts.clear();
  }

  /** Addresses that are out now. */
  ejected(nowMs: number): string[] {
    for (const [address, untilMs] of this.untilMs) if (nowMs >= untilMs) this.untilMs.delete(address);
    return [...this.untilMs.keys()];
  }

  adopt(addresses: readonly string[], nowMs: number): void {
    for (const address of addresses.slice(0, endpointsMax)) {
      if (!this.untilMs.has(address)) this.untilMs.set(address, nowMs + ejectedForMs);
    }
  }

  private hasRoom(nowMs: number): boolean {
    if (this.counts.size < endpointsMax) return true;
    for (const [address, { demandAtMs }] of this.counts) {
      if (nowMs - demandAtMs > idleMs) this.counts.delete(address);
    }
    return this.counts.size < endpointsMax;
  }
}
