/**
 * One sidecar as its heartbeats describe it. Live: heard within three of its own intervals. Stale: not heard, still
 * shown, so that a crash is seen and not merely missed. Gone: not heard for a minute, forgotten.
 */
import type { Ack, Applied, Heartbeat, Identity, Traffic } from '../../proto/fleet-messages.ts';
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
  /** The last one, without what is kept elsewhere: its policies and its traffic. */
  readonly heartbeat: { -readonly [Field in keyof Heartbeat]: Heartbeat[Field] };
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
    this.heartbeat = { ...heartbeat, policies: [], traffic: [] };
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

  /** Keeps what was here before where it says the same: what need not be kept is garbage at once, and cheap. */
  private take(heartbeat: Heartbeat, nowMs: number): void {
    const known = this.heartbeat;
    if (known.identity.incarnation !== heartbeat.identity.incarnation) known.identity = heartbeat.identity;
    known.seq = heartbeat.seq;
    known.address = heartbeat.address;
    known.draining = heartbeat.draining;
    known.intervalMs = heartbeat.intervalMs;
    known.process = heartbeat.process;
    known.breakers = heartbeat.breakers;
    this.lastSeenMs = nowMs;
    this.takePolicies(heartbeat.policies);
    this.takeTraffic(heartbeat.traffic, nowMs);
    this.takeCalls();
  }

  private takePolicies(policies: readonly Applied[]): void {
    let same = 0;
    for (const row of policies.slice(0, rowsMax)) {
      const before = this.applied.get(row.target);
      if (before && isSame(before, row)) same++;
    }
    if (same === policies.length && same === this.applied.size) return;
    this.applied.clear();
    for (const row of policies.slice(0, rowsMax)) this.applied.set(row.target, row);
  }

  private takeTraffic(rows: readonly Traffic[], nowMs: number): void {
    let outbound = 0;
    for (const traffic of rows.slice(0, rowsMax)) {
      if (traffic.direction === 'inbound') {
        if (this.inbound.series) this.inbound.series.add(traffic, nowMs);
        else this.inbound.series = new CounterSeries(traffic, nowMs);
      } else if (traffic.direction === 'outbound') {
        outbound++;
        const series = this.outbound.get(traffic.peer);
        if (series) series.add(traffic, nowMs);
        else this.outbound.set(traffic.peer, new CounterSeries(traffic, nowMs));
      }
    }
    if (outbound === this.outbound.size) return;
    const seen = new Set(rows.slice(0, rowsMax).map(({ direction, peer }) => (direction === 'outbound' ? peer : '')));
    for (const peer of this.outbound.keys()) if (!seen.has(peer)) this.outbound.delete(peer);
  }

  private takeCalls(): void {
    for (const target of this.calls) if (!this.isCalled(target)) this.calls.delete(target);
    for (const peer of this.outbound.keys()) this.calls.add(peer);
    for (const { target } of this.heartbeat.breakers.slice(0, rowsMax)) this.calls.add(target);
    for (const target of this.applied.keys()) this.calls.add(target);
    this.calls.delete(this.service);
  }

  private isCalled(target: string): boolean {
    if (this.outbound.has(target) || this.applied.has(target)) return true;
    return this.heartbeat.breakers.some((row) => row.target === target);
  }
}

function isSame(known: Applied, heard: Applied): boolean {
  return (
    known.version === heard.version &&
    known.hash === heard.hash &&
    known.epoch === heard.epoch &&
    known.status === heard.status &&
    known.message === heard.message
  );
}
