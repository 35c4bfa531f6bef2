/**
 * Which bundle of each target is in force, and which was offered last and what became of it; every heartbeat repeats
 * that. Newer is tried, older is not. A refused bundle does not count as newer than anything, whatever version it
 * claims: else one bad message would shut out all good ones after it. Pure. Bounded by the targets the link follows.
 */
import type { Applied } from '../../../proto/fleet-messages.ts';
import { type BundleOrder, isNewer } from '../../../proto/policy/bundle.ts';

export class BundleBook {
  private readonly offered = new Map<string, Applied>();
  private readonly inForce = new Map<string, BundleOrder>();

  isNews(target: string, order: BundleOrder): boolean {
    return isNewer(this.inForce.get(target) ?? null, order);
  }

  /** The very bundle that was offered last. */
  isLast(target: string, order: BundleOrder): boolean {
    const last = this.offered.get(target);
    return last !== undefined && last.epoch === order.epoch && last.version === order.version;
  }

  record(outcome: Applied): void {
    this.offered.set(outcome.target, outcome);
    if (outcome.status !== 'rejected') this.inForce.set(outcome.target, outcome);
  }

  of(target: string): Applied | undefined {
    return this.offered.get(target);
  }

  all(): Applied[] {
    return [...this.offered.values()];
  }
}
