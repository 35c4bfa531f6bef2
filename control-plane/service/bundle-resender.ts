/**
 * Publication is at most once, so it is checked: while live sidecars that should have a new bundle have not said that
 * they took or refused it, they are told to read it, after 250 ms, again after as much, and then at doubling distances;
 * if they are many, it is published to all again. Not while their words still come in: ten thousand acks take a while, and
 * to ask for ten thousand more would keep a busy control plane busy. After the last time they are left to their own
 * reconciliation every 30 s.
 */

import { encodeCommand } from '../../proto/fleet.ts';
import type { Bundle } from '../../proto/policy/bundle.ts';
import { canonicalJson } from '../../proto/policy/canonical-json.ts';
import { parseServiceKey, subjects } from '../../proto/subjects.ts';
import type { Bus } from './bus.ts';
import type { TargetLeadership } from './leadership.ts';

export const firstResendMs = 250;
export const resendsMax = 7;
/** More than these are not told one by one. */
export const toldMax = 200;

interface Pending {
  readonly bundle: Bundle;
  readonly sinceMs: number;
  resends: number;
  dueMs: number;
  /** How many had said nothing when it was last looked at. */
  behind: number;
}

export class BundleResender {
  private readonly pending = new Map<string, Pending>();
  private readonly bus: Pick<Bus, 'publish'>;
  private readonly leadership: TargetLeadership;

  constructor(bus: Pick<Bus, 'publish'>, leadership: TargetLeadership) {
    this.bus = bus;
    this.leadership = leadership;
  }

  /** A bundle that is newly in the store. */
  watch(bundle: Bundle, nowMs: number): void {
    const known = this.pending.get(bundle.target)?.bundle;
    if (known && known.epoch === bundle.epoch && known.version === bundle.version) return;
    this.pending.set(bundle.target, {
      bundle,
      sinceMs: nowMs,
      resends: 0,
      dueMs: nowMs + firstResendMs,
      behind: Number.POSITIVE_INFINITY,
    });
  }

  /** How long ago the bundle that a sidecar speaks of was new; undefined when it is none that is waited for. */
  ageMs(target: string, version: number, nowMs: number): number | undefined {
    const pending = this.pending.get(target);
    return pending?.bundle.version === version ? nowMs - pending.sinceMs : undefined;
  }

  /**
   * Answers what was said again; only of the targets led, the others are somebody else's to look after. `behindOf` names
   * those who have said nothing yet, `<ns>/<svc>/<id>`.
   */
  tick(nowMs: number, behindOf: (bundle: Bundle) => readonly string[]): Bundle[] {
    const again: Bundle[] = [];
    for (const [target, pending] of this.pending) {
      if (nowMs < pending.dueMs || !this.leadership.leads(target)) continue;
      const behind = behindOf(pending.bundle);
      if (behind.length === 0 || pending.resends >= resendsMax) {
        this.pending.delete(target);
        continue;
      }
      const isComing = behind.length < pending.behind;
      pending.behind = behind.length;
      if (isComing) continue;
      pending.resends++;
      pending.dueMs = nowMs + firstResendMs * 2 ** (pending.resends - 1);
      if (this.sayAgain(pending.bundle, behind)) again.push(pending.bundle);
    }
    return again;
  }

  private sayAgain(bundle: Bundle, behind: readonly string[]): boolean {
    const service = parseServiceKey(bundle.target);
    if (!service) return false;
    if (behind.length > toldMax) return this.bus.publish(subjects.bundle(service), canonicalJson(bundle));
    const command = encodeCommand({ name: 'resync' });
    for (const name of behind) {
      const [namespace = '', own = '', instance = ''] = name.split('/');
      this.bus.publish(subjects.command({ namespace, service: own }, instance), command);
    }
    return true;
  }
}
