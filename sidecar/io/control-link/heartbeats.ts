/**
 * Says once a second that this sidecar lives, and repeats all state that a lost message could have hidden. At once, but
 * never more often than every 50 ms, after a connect and after a breaker changed its state.
 */
import type { BreakerStatus } from '../../../proto/fleet-messages.ts';
import { jitter } from '../../../proto/kernel/random.ts';
import { subjects } from '../../../proto/subjects.ts';
import { breakerStateName } from '../../resilience/breaker-state.ts';
import type { BundleBook } from './bundle-book.ts';
import type { Bus } from './bus.ts';
import type { FleetCodec } from './codec.ts';
import type { Mesh } from './mesh.ts';

const intervalMs = 1000;
const jitterShare = 0.2;
const spacingMs = 50;
/** All sidecars hear a roll call at once: let them not answer at once. */
const rollCallSpreadMs = 400;

export class Heartbeats {
  private readonly mesh: Mesh;
  private readonly bus: Bus;
  private readonly codec: FleetCodec;
  private readonly bundles: BundleBook;
  private timer: NodeJS.Timeout | undefined;
  private dueAtMs = Number.POSITIVE_INFINITY;
  private lastAtMs = Number.NEGATIVE_INFINITY;
  private seq = 0;
  private closed = false;

  constructor(mesh: Mesh, bus: Bus, codec: FleetCodec, bundles: BundleBook) {
    this.mesh = mesh;
    this.bus = bus;
    this.codec = codec;
    this.bundles = bundles;
    this.arm(jitter(intervalMs, jitterShare, mesh.random));
  }

  soon(): void {
    this.within(0);
  }

  /** A control plane has begun to listen and knows nobody. */
  onRollCall(): void {
    this.within(rollCallSpreadMs * this.mesh.random.next());
  }

  /** Not by the timer: the last one, when the sidecar goes. */
  send(): void {
    const { mesh } = this;
    this.lastAtMs = mesh.nowMs();
    if (!this.bus.connected) return;
    const bytes = this.codec.encodeHeartbeat({
      identity: mesh.identity,
      seq: ++this.seq,
      address: mesh.advertise(),
      draining: mesh.isDraining(),
      intervalMs,
      policies: this.bundles.all(),
      traffic: mesh.heartbeatTraffic(),
      breakers: breakers(mesh),
      process: mesh.process(),
    });
    this.bus.publish(subjects.heartbeat(mesh.identity, mesh.identity.instance), bytes);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private within(limitMs: number): void {
    const nowMs = this.mesh.nowMs();
    const waitMs = Math.max(limitMs, this.lastAtMs + spacingMs - nowMs);
    if (nowMs + waitMs < this.dueAtMs) this.arm(waitMs);
  }

  private arm(waitMs: number): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.dueAtMs = this.mesh.nowMs() + waitMs;
    this.timer = setTimeout(() => {
      this.arm(jitter(intervalMs, jitterShare, this.mesh.random));
      this.send();
    }, waitMs);
  }
}

function breakers(mesh: Mesh): BreakerStatus[] {
  const nowMs = mesh.nowMs();
  const statuses: BreakerStatus[] = [];
  for (const { key, breaker } of mesh.targetsInUse()) {
    if (!breaker) continue;
    breaker.tick(nowMs);
    statuses.push({
      target: key,
      local: breakerStateName(breaker.state),
      fleet: breakerStateName(breaker.fleetState),
      generation: breaker.fleetGeneration,
      ageMs: Math.max(0, nowMs - breaker.sinceMs),
      cause: breaker.cause,
    });
  }
  return statuses;
}
