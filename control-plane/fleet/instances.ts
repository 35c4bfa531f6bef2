/**
 * Every sidecar that was heard lately, by service. Bounded: who comes when the table is full is counted and not kept,
 * so that a flood of invented names cannot push out the real ones.
 */

import type { Ack, Heartbeat, Identity } from '../../proto/fleet-messages.ts';
import { parseServiceKey } from '../../proto/subjects.ts';
import { InstanceRecord, instanceKey } from './instance-record.ts';

export const instancesMax = 20_000;
const instancePattern = /^[A-Za-z0-9_-]{1,253}$/;

export type InstanceChange = {
  readonly kind: 'joined' | 'restarted' | 'stale' | 'returned' | 'gone';
  readonly service: string;
  readonly instance: string;
};

export class Instances {
  private readonly records = new Map<string, InstanceRecord>();
  private readonly byService = new Map<string, Set<InstanceRecord>>();
  private readonly max: number;
  /** Messages that named no valid identity, or came when the table was full. */
  refused = 0;

  constructor(max = instancesMax) {
    this.max = max;
  }

  onHeartbeat(heartbeat: Heartbeat, nowMs: number): InstanceChange | undefined {
    const { identity } = heartbeat;
    const known = this.records.get(instanceKey(identity));
    if (known) {
      const before = known.heartbeat.identity.incarnation;
      if (!known.onHeartbeat(heartbeat, nowMs)) return undefined;
      const wasStale = known.announced === 'stale';
      known.announced = 'live';
      if (before !== identity.incarnation) return change('restarted', known);
      return wasStale ? change('returned', known) : undefined;
    }
    if (!isValid(identity) || this.records.size >= this.max) {
      this.refused++;
      return undefined;
    }
    const record = new InstanceRecord(heartbeat, nowMs);
    this.records.set(record.key, record);
    const siblings = this.byService.get(record.service);
    if (siblings) siblings.add(record);
    else this.byService.set(record.service, new Set([record]));
    return change('joined', record);
  }

  onAck(ack: Ack): boolean {
    return this.records.get(instanceKey(ack.identity))?.onAck(ack) ?? false;
  }

  /** Forgets who is gone; says who became stale. */
  tick(nowMs: number): InstanceChange[] {
    const changes: InstanceChange[] = [];
    for (const record of this.records.values()) {
      if (record.isGone(nowMs)) {
        this.remove(record);
        changes.push(change('gone', record));
      } else if (record.announced === 'live' && !record.isPresent(nowMs)) {
        record.announced = 'stale';
        changes.push(change('stale', record));
      }
    }
    return changes;
  }

  get(identity: Identity): InstanceRecord | undefined {
    return this.records.get(instanceKey(identity));
  }

  get size(): number {
    return this.records.size;
  }

  all(): IterableIterator<InstanceRecord> {
    return this.records.values();
  }

  services(): IterableIterator<string> {
    return this.byService.keys();
  }

  of(service: string): ReadonlySet<InstanceRecord> {
    return this.byService.get(service) ?? none;
  }

  private remove(record: InstanceRecord): void {
    this.records.delete(record.key);
    const siblings = this.byService.get(record.service);
    siblings?.delete(record);
    if (siblings?.size === 0) this.byService.delete(record.service);
  }
}

const none: ReadonlySet<InstanceRecord> = new Set();

function isValid({ namespace, service, instance }: Identity): boolean {
  return parseServiceKey(`${namespace}/${service}`) !== undefined && instancePattern.test(instance);
}

function change(kind: InstanceChange['kind'], { service, heartbeat }: InstanceRecord): InstanceChange {
  return { kind, service, instance: heartbeat.identity.instance };
}
