/**
 * One sidecar as its heartbeats describe it. Live: heard within three of its own intervals. Stale: not heard, still
 * shown, so that a crash is seen and not merely missed. Gone: not heard for a minute, forgotten.
 */
import type { Ack, Applied, Heartbeat, Identity } from '../../proto/fleet-messages.ts';
import { CounterSeries } from './counter-series.ts';

export const missedHeartbeatsMax = 3;
export const goneAfterMs = 60_000;
/** A sender's own interval is believed only within these. */
const intervalMinMs = 100;
const intervalMaxMs = 10_000;
const intervalDefaultMs = 1_000;
/** Rows of one heartbeat that are looked at; a sidecar calls tens of services, not hundreds. */
export const rowsMax = 256;

export type InstanceState = 'live' | 'stale' | 'draining';

export function instanceKey({ namespace, service, instance }: Identity): string {
  return `${namespace}/${service}/${instance}`;
}

export class InstanceRecord {
  readonly key: string;
  readonly service: string;
  heartbeat: Heartbeat;
  lastSeenMs: number;
  /** What was last announced about it: set by the table when it says so. */
  announced: 'live' | 'stale' = 'live';
  readonly inbound: { series: CounterSeries | null } = { series: null };
  readonly outbound = new Map<string, CounterSeries>();
  readonly applied = new Map<string, Applied>();
  private readonly calls = new Set<string>();
  private formerIncarnation = '';

  constructor(heartbeat: Heartbeat, nowMs: number) {
    const { identity } = heartbeat;
    this.key = instanceKey(identity);
    this.service = `${identity.namespace}/${identity.service}`;
    this.heartbeat = heartbeat;
    this.lastSeenMs = nowMs;
    this.take(heartbeat, nowMs);
  }

  /** False when it is a duplicate, late, or of a process that was already replaced. */
  onHeartbeat(heartbeat: Heartbeat, nowMs: number): boolean {
    const { incarnation } = heartbeat.identity;
    const known = this.heartbeat.identity.incarnation;
    if (incarnation === known) {
      if (heartbeat.seq <= this.heartbeat.seq) return false;
    } else {
      if (incarnation === this.formerIncarnation) return false;
      this.formerIncarnation = known;
      this.inbound.series = null;
      this.outbound.clear();
    }
    this.take(heartbeat, nowMs);
    return true;
  }

  onAck({ identity, applied }: Ack): boolean {
    if (identity.incarnation !== this.heartbeat.identity.incarnation) return false;
    if (!this.applied.has(applied.target) && this.applied.size >= rowsMax) return false;
    this.applied.set(applied.target, applied);
    if (applied.target !== this.service) this.calls.add(applied.target);
    return true;
  }

  state(nowMs: number): InstanceState {
    if (nowMs - this.lastSeenMs > this.staleAfterMs()) return 'stale';
    return this.heartbeat.draining ? 'draining' : 'live';
  }

  /** Heard, draining or not. */
  isPresent(nowMs: number): boolean {
    return this.state(nowMs) !== 'stale';
  }

  isGone(nowMs: number): boolean {
    return nowMs - this.lastSeenMs > goneAfterMs;
  }

  /** Every service this sidecar has to do with as a caller. */
  targets(): ReadonlySet<string> {
    return this.calls;
  }

  private staleAfterMs(): number {
    const interval = this.heartbeat.intervalMs || intervalDefaultMs;
    return missedHeartbeatsMax * Math.min(intervalMaxMs, Math.max(intervalMinMs, interval));
  }

  private take(heartbeat: Heartbeat, nowMs: number): void {
    this.heartbeat = heartbeat;
    this.lastSeenMs = nowMs;
    this.applied.clear();
    for (const applied of heartbeat.policies.slice(0, rowsMax)) this.applied.set(applied.target, applied);
    const seen = new Set<string>();
    for (const traffic of heartbeat.traffic.slice(0, rowsMax)) {
      if (traffic.direction === 'inbound') {
        if (this.inbound.series) this.inbound.series.add(traffic, nowMs);
        else this.inbound.series = new CounterSeries(traffic, nowMs);
      } else if (traffic.direction === 'outbound') {
        seen.add(traffic.peer);
        const series = this.outbound.get(traffic.peer);
        if (series) series.add(traffic, nowMs);
        else this.outbound.set(traffic.peer, new CounterSeries(traffic, nowMs));
      }
    }
    for (const peer of this.outbound.keys()) if (!seen.has(peer)) this.outbound.delete(peer);
    this.calls.clear();
    for (const peer of seen) this.calls.add(peer);
    for (const { target } of heartbeat.breakers.slice(0, rowsMax)) this.calls.add(target);
    for (const target of this.applied.keys()) this.calls.add(target);
    this.calls.delete(this.service);
  }
}
