/**
 * The target's own sidecars, asked when callers fail: if what reaches the target is answered well, it is not the target
 * that is broken but a way to it, and its breaker stays closed for everybody else.
 *
 * Only an interval that reaches well into the window counts: the last report of a pod that was killed says how it was
 * before. And what comes in must also come out: a target that hangs has no failures to report.
 */
import type { TargetCounts } from '../../proto/fleet-messages.ts';

/** Sidecars of one target that are heard; the others do not vouch for it. */
export const witnessesMax = 1024;
const knownForMs = 3000;
/** What one says ten times a second is too little by itself. */
const sumMs = 500;
const perInstanceMax = 6;
const requestsMin = 10;
const successMin = 0.95;
const answeredMin = 0.8;

interface Testimony {
  readonly n: number;
  readonly fail: number;
  readonly demand: number;
  readonly atMs: number;
}

export class Witnesses {
  /** By instance, the newest last. */
  private readonly testimonies = new Map<string, Testimony[]>();

  hear(instance: string, { n, fail, demand }: TargetCounts, nowMs: number): void {
    if (!this.testimonies.has(instance) && this.testimonies.size >= witnessesMax) this.forget(nowMs);
    if (!this.testimonies.has(instance) && this.testimonies.size >= witnessesMax) return;
    const before = this.testimonies.get(instance) ?? [];
    const kept = before.filter(({ atMs }) => nowMs - atMs < sumMs).slice(1 - perInstanceMax);
    this.testimonies.set(instance, [...kept, { n, fail, demand, atMs: nowMs }]);
  }

  /** Whether most of them say that, in this window, the target was well. */
  vouch(windowMs: number, nowMs: number): boolean {
    this.forget(nowMs);
    let heard = 0;
    let n = 0;
    let fail = 0;
    let demand = 0;
    for (const testimonies of this.testimonies.values()) {
      if (nowMs - testimonies.at(-1)!.atMs > windowMs / 2) continue;
      heard++;
      for (const testimony of testimonies) {
        n += testimony.n;
        fail += testimony.fail;
        demand += testimony.demand;
      }
    }
    if (heard * 2 <= this.testimonies.size || n < requestsMin) return false;
    return n - fail >= successMin * n && n >= answeredMin * demand;
  }

  private forget(nowMs: number): void {
    for (const [instance, testimonies] of this.testimonies) {
      if (nowMs - testimonies.at(-1)!.atMs > knownForMs) this.testimonies.delete(instance);
    }
  }
}
