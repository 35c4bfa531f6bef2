/**
 * Fleet verdicts for the targets in use. They live by their time to live on this sidecar's clock, so nothing needs to be
 * done when NATS is lost: silence ends them.
 */
import type { Verdict } from '../../../proto/fleet-messages.ts';
import { parseServiceKey, subjects } from '../../../proto/subjects.ts';
import type { Bus } from './bus.ts';
import type { FleetCodec } from './codec.ts';
import type { Mesh, TargetLink } from './mesh.ts';
import { VerdictBook } from './verdict-book.ts';

export class VerdictSync {
  private readonly mesh: Mesh;
  private readonly bus: Bus;
  private readonly codec: FleetCodec;
  private readonly book = new VerdictBook();

  constructor(mesh: Mesh, bus: Bus, codec: FleetCodec) {
    this.mesh = mesh;
    this.bus = bus;
    this.codec = codec;
  }

  follow(link: TargetLink): void {
    const name = parseServiceKey(link.key);
    if (name) this.bus.subscribe(subjects.verdict(name), ({ bytes }) => this.hear(link, bytes));
  }

  /** What stands goes to the breaker in force: to be called again when a policy brought another breaker. */
  apply(link: TargetLink, nowMs: number): void {
    const standing = this.book.lastOf(link.key);
    if (!standing || !link.breaker || nowMs >= standing.expiresAtMs) return;
    const { state, generation, epoch, allow, coolMs, evidence } = standing.verdict;
    const ttlMs = standing.expiresAtMs - nowMs;
    link.breaker.applyFleet({ state, generation, epoch, ttlMs, allow, coolMs, evidence: evidence?.text ?? '' }, nowMs);
  }

  /** The last verdict heard, also when its time is up. */
  lastOf(target: string): Verdict | undefined {
    return this.book.lastOf(target)?.verdict;
  }

  private hear(link: TargetLink, bytes: Uint8Array): void {
    const verdict = this.codec.decodeVerdict(bytes);
    if (!verdict || verdict.target !== link.key) {
      this.mesh.log('warn', 'ignoring a verdict that cannot be read', { target: link.key, bytes: bytes.length });
      return;
    }
    if (verdict.zone !== '' && verdict.zone !== this.mesh.identity.zone) return;
    const nowMs = this.mesh.nowMs();
    const before = this.book.lastOf(link.key)?.verdict.state ?? 'closed';
    if (!this.book.accept(verdict, nowMs)) return;
    if (verdict.state !== before) {
      const { target, state, generation, epoch, evidence } = verdict;
      this.mesh.log('info', `the fleet breaker is ${state}`, { target, generation, epoch, evidence: evidence?.text });
    }
    this.apply(link, nowMs);
  }
}
