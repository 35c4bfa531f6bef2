/**
 * Publication is at most once, so it is checked: while live sidecars that should have a new bundle have not said that
 * they took or refused it, the bundle is published again, after 400 ms and then at doubling distances. After the
 * last one they are left to their own reconciliation every 30 s.
 */

import type { Bundle } from '../../proto/policy/bundle.ts';
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import { parseServiceKey, subjects } from '../../proto/subjects.ts';
import type { Bus } from './bus.ts';
import type { TargetLeadership } from './leadership.ts';

export const firstResendMs = 400;
export const resendsMax = 6;

interface Pending {
  readonly bundle: Bundle;
  readonly sinceMs: number;
  resends: number;
  dueMs: number;
}

export class BundleResender {
  private readonly pending = new Map<string, Pending>();
  private readonly bus: Bus;
  private readonly leadership: TargetLeadership;

  constructor(bus: Bus, leadership: TargetLeadership) {
    this.bus = bus;
    this.leadership = leadership;
  }

  /** A bundle that is newly in the store. */
  watch(bundle: Bundle, nowMs: number): void {
    const known = this.pending.get(bundle.target)?.bundle;
    if (known && known.epoch === bundle.epoch && known.version === bundle.version) return;
    this.pending.set(bundle.target, { bundle, sinceMs: nowMs, resends: 0, dueMs: nowMs + firstResendMs });
  }

  /** How long ago the bundle that a sidecar speaks of was new; undefined when it is none that is waited for. */
  ageMs(target: string, version: number, nowMs: number): number | undefined {
    const pending = this.pending.get(target);
    return pending?.bundle.version === version ? nowMs - pending.sinceMs : undefined;
  }

  /** Answers what was published again; only of the targets led, the others are somebody else's to look after. */
  tick(nowMs: number, isBehind: (bundle: Bundle) => boolean): Bundle[] {
    const again: Bundle[] = [];
    for (const [target, pending] of this.pending) {
      if (nowMs < pending.dueMs || !this.leadership.leads(target)) continue;
      const service = parseServiceKey(target);
      if (!service || pending.resends >= resendsMax || !isBehind(pending.bundle)) {
        this.pending.delete(target);
        continue;
      }
      pending.resends++;
      pending.dueMs = nowMs + firstResendMs * 2 ** pending.resends;
      if (this.bus.publish(subjects.bundle(service), canonicalJson(pending.bundle))) again.push(pending.bundle);
    }
    return again;
  }
}
