/**
 * The requests that arrived lately, remembered well enough to let them arrive again before a policy that is not in force
 * (rehearsal.ts): when, on which path, from whom, how important, how long the app took. A ring of numbers, with the texts
 * in one small table beside it, so that recording allocates nothing but new names. Header fields are not kept: they may
 * hold secrets, and would keep every head alive.
 */
import { Reason } from '../../proto/reasons.ts';
import { tierOf } from '../../proto/tiers.ts';
import { pathWithoutQuery } from '../policy/route-match.ts';
import { Outcome } from '../resilience/outcome.ts';
import type { RequestView } from './context.ts';

/** Different paths, methods, identities and addresses, all together; what comes then is "other". */
export const namesMax = 2_048;
/** Longer ones are "other". */
export const nameLengthMax = 256;
const other = 0;
export const otherName = '(other)';
/** A power of two. */
const knownHeadsMax = 256;
/** It said nothing of its importance, or is not believed. */
export const noTier = 255;

/** What was recorded, oldest arrival first; plain data, so that it crosses threads. */
export interface RecordedTraffic {
  readonly names: readonly string[];
  /** Monotonic ms. */
  readonly startedMs: Float64Array;
  /** In the app; NaN: it did not get there. */
  readonly serviceMs: Float32Array;
  readonly method: Uint16Array;
  readonly path: Uint16Array;
  readonly identity: Uint16Array;
  readonly address: Uint16Array;
  /** As its caller, of the mesh, said; `noTier`. */
  readonly tier: Uint8Array;
  /** Reason code of our refusal, 0 = none. */
  readonly reason: Uint8Array;
  readonly isGrpc: Uint8Array;
  readonly isFailed: Uint8Array;
}

/** What is looked at of a request. */
export type Arrived = Pick<
  RequestView,
  'head' | 'address' | 'startedMs' | 'admittedMs' | 'peerIdentity' | 'peerAddress' | 'isFromMesh'
>;

type Columns = Omit<RecordedTraffic, 'names'>;

export class TrafficRecording {
  private readonly capacity: number;
  /** Made with the first request: most sidecars of a test never see one. */
  private columns: Columns | null = null;
  private names = new Map<string, number>();
  private next = 0;
  private count = 0;
  private sinceNamesFilled = 0;
  /** What was found of heads that repeat, which are one object; a place for each by its number. */
  private readonly knownHeads = new Float64Array(knownHeadsMax).fill(-1);
  private readonly known = columnsOf(knownHeadsMax);
  /** Requests of one connection follow each other. */
  private lastIdentity = { text: '', id: -1 };
  private lastAddress = { text: '', id: -1 };

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  record(request: Arrived, outcome: number, reason: number, nowMs: number): void {
    this.columns ??= columnsOf(this.capacity);
    // Once the table is full and all that it was filled by is gone from the ring, it begins again.
    if (this.names.size >= namesMax && ++this.sinceNamesFilled > this.capacity) this.clear();
    const { columns, next } = this;
    const { head } = request;
    const isServed = request.address !== '' && reason !== Reason.cancelled;
    columns.startedMs[next] = request.startedMs;
    columns.serviceMs[next] = isServed ? nowMs - Math.max(request.admittedMs, request.startedMs) : Number.NaN;
    const { known } = this;
    const at = this.lookAt(head);
    columns.method[next] = known.method[at]!;
    columns.path[next] = known.path[at]!;
    columns.isGrpc[next] = known.isGrpc[at]!;
    columns.tier[next] = request.isFromMesh ? known.tier[at]! : noTier;
    columns.identity[next] = this.lastOf(this.lastIdentity, request.peerIdentity);
    columns.address[next] = this.lastOf(this.lastAddress, request.peerAddress);
    columns.reason[next] = request.address === '' ? reason : Reason.none;
    columns.isFailed[next] = isServed && outcome === Outcome.failure ? 1 : 0;
    this.next = next + 1 === this.capacity ? 0 : next + 1;
    if (this.count < this.capacity) this.count++;
  }

  snapshot(): RecordedTraffic {
    const { columns, count } = this;
    const names = [otherName, ...this.names.keys()];
    if (columns === null) return { names, ...columnsOf(0) };
    // Recorded when they ended, wanted in the order in which they came.
    const order = Uint32Array.from({ length: count }, (_, i) => i).sort(
      (a, b) => columns.startedMs[a]! - columns.startedMs[b]!,
    );
    return { names, ...pick(columns, order) };
  }

  private lookAt(head: Arrived['head']): number {
    const at = head.id & (knownHeadsMax - 1);
    if (this.knownHeads[at] === head.id) return at;
    const { known } = this;
    this.knownHeads[at] = head.id;
    known.method[at] = this.nameOf(head.method);
    known.path[at] = this.nameOf(pathWithoutQuery(head.path));
    known.isGrpc[at] = head.isGrpc ? 1 : 0;
    const tier = tierOf(head.get('weir-tier') ?? '');
    known.tier[at] = tier < 0 ? noTier : tier;
    return at;
  }

  private lastOf(last: { text: string; id: number }, text: string): number {
    if (last.id < 0 || last.text !== text) {
      last.text = text;
      last.id = this.nameOf(text);
    }
    return last.id;
  }

  private nameOf(text: string): number {
    const known = this.names.get(text);
    if (known !== undefined) return known;
    if (this.names.size >= namesMax || text.length > nameLengthMax) return other;
    const id = this.names.size + 1;
    this.names.set(text, id);
    return id;
  }

  private clear(): void {
    this.names = new Map();
    this.next = 0;
    this.count = 0;
    this.sinceNamesFilled = 0;
    this.knownHeads.fill(-1);
    this.lastIdentity.id = -1;
    this.lastAddress.id = -1;
  }
}

function columnsOf(capacity: number): Columns {
  return {
    startedMs: new Float64Array(capacity),
    serviceMs: new Float32Array(capacity),
    method: new Uint16Array(capacity),
    path: new Uint16Array(capacity),
    identity: new Uint16Array(capacity),
    address: new Uint16Array(capacity),
    tier: new Uint8Array(capacity),
    reason: new Uint8Array(capacity),
    isGrpc: new Uint8Array(capacity),
    isFailed: new Uint8Array(capacity),
  };
}

function pick(columns: Columns, order: Uint32Array): Columns {
  const picked = columnsOf(order.length);
  for (const [to, from] of order.entries()) {
    picked.startedMs[to] = columns.startedMs[from]!;
    picked.serviceMs[to] = columns.serviceMs[from]!;
    picked.method[to] = columns.method[from]!;
    picked.path[to] = columns.path[from]!;
    picked.identity[to] = columns.identity[from]!;
    picked.address[to] = columns.address[from]!;
    picked.tier[to] = columns.tier[from]!;
    picked.reason[to] = columns.reason[from]!;
    picked.isGrpc[to] = columns.isGrpc[from]!;
    picked.isFailed[to] = columns.isFailed[from]!;
  }
  return picked;
}

/** Of several threads, as one. */
export function mergeRecorded(all: readonly RecordedTraffic[]): RecordedTraffic {
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  const ids = new Map<string, number>();
  const idOf = (name: string): number => {
    const id = ids.get(name) ?? ids.size;
    ids.set(name, id);
    return id;
  };
  idOf(otherName);
  const merged = columnsOf(all.reduce((sum, { startedMs }) => sum + startedMs.length, 0));
  let at = 0;
  for (const { names, ...columns } of all) {
    const renamed = names.map(idOf);
    merged.startedMs.set(columns.startedMs, at);
    merged.serviceMs.set(columns.serviceMs, at);
    for (const column of ['method', 'path', 'identity', 'address'] as const)
      merged[column].set(
        columns[column].map((id) => renamed[id] ?? other),
        at,
      );
    for (const column of ['tier', 'reason', 'isGrpc', 'isFailed'] as const) merged[column].set(columns[column], at);
    at += columns.startedMs.length;
  }
  const order = Uint32Array.from(merged.startedMs.keys()).sort((a, b) => merged.startedMs[a]! - merged.startedMs[b]!);
  return { names: [...ids.keys()], ...pick(merged, order) };
}
