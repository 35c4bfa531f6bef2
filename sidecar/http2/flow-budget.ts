/**
 * What all connections of the process may hold in memory together, and what happens as it fills. Credit alone cannot
 * bound that: HTTP/2 lets every peer send 64 KiB a stream before anything is announced, times a hundred thousand
 * streams. So the bytes that lie here are counted, as the buffers that they pin, and the answers get firmer:
 *
 *   > 50 %   windows stop growing; streams get 16 KiB instead of 64, until it is below 30 %
 *   > 80 %   grown windows shrink back, connections are lent no credit
 *   > 100 %  the largest buffers are let go first, with their streams, until 90 % are reached
 *
 * A reader that takes its time is no fault by itself: nothing else here ends a stream. Nor are new requests refused, at
 * any level: those who hold would then keep out those who do not.
 */

import type { StreamView } from './stream-view.ts';

/** A connection as the budget sees it. */
export interface Holder {
  /** What its peer may send without asking again. */
  readonly promisedBytes: number;
  /** Adds its open streams, for operators. */
  collectStreams(into: StreamView[]): void;
  /** Adds its streams that have data waiting. */
  collectQueued(into: Queued[]): void;
  /** Bytes that a write under way pins, and that only the end of the connection gives back. */
  readonly writingBytes: number;
  /** Ends the connection, since its peer takes nothing and memory is needed. */
  letGo(): void;
}

export interface Queued {
  /** Bytes that its waiting data pins. */
  readonly pinnedBytes: number;
  /** Ends the stream and frees what it holds. */
  letGo(): void;
}

/** Where data waits: for the stream's window, for the connection's, or for the socket. */
export const StallScope = { stream: 0, connection: 1, socket: 2 } as const;
export const stallScopeNames = ['stream', 'connection', 'socket'] as const;

const wellShare = 0.3;
const growthShare = 0.5;
const tightShare = 0.8;
const relievedShare = 0.9;

export class FlowBudget {
  /** Bytes; no bound unless one is given. */
  capBytes = Number.POSITIVE_INFINITY;
  usedBytes = 0;
  peakBytes = 0;
  /** By direction (0 toward callers, 1 toward upstreams) and scope: ms that streams had data and could not send it. */
  readonly stalledMs = new Float64Array(2 * stallScopeNames.length);
  /** Streams, and connections, ended for memory; streams ended for their policy's stall timeout; windows that grew. */
  streamsLetGo = 0;
  connectionsLetGo = 0;
  stallResets = 0;
  windowGrowths = 0;
  readonly holders = new Set<Holder>();
  /** The last attempt found too little; the next tick tries again, not every read. */
  private isExhausted = false;

  constructor(capBytes = Number.POSITIVE_INFINITY) {
    this.capBytes = capBytes;
  }

  charge(bytes: number): void {
    this.usedBytes += bytes;
    if (this.usedBytes > this.peakBytes) this.peakBytes = this.usedBytes;
  }

  release(bytes: number): void {
    this.usedBytes -= bytes;
  }

  /** Low enough for windows to be as large as ever. */
  get isWell(): boolean {
    return this.usedBytes < this.capBytes * wellShare;
  }

  get stopsGrowth(): boolean {
    return this.usedBytes > this.capBytes * growthShare;
  }

  get isTight(): boolean {
    return this.usedBytes > this.capBytes * tightShare;
  }

  get isFull(): boolean {
    return this.usedBytes > this.capBytes;
  }

  get isOver(): boolean {
    return this.isFull && !this.isExhausted;
  }

  onTick(): void {
    this.isExhausted = false;
    if (this.isOver) this.relieve();
  }

  /** Lets the largest go. Call it between events, never from within a stream's calls: it ends streams. */
  relieve(): void {
    const enough = this.capBytes * relievedShare;
    const queued: Queued[] = [];
    for (const holder of this.holders) holder.collectQueued(queued);
    queued.sort((a, b) => b.pinnedBytes - a.pinnedBytes);
    for (const stream of queued) {
      if (this.usedBytes <= enough) return;
      this.streamsLetGo++;
      stream.letGo();
    }
    const writing = [...this.holders].filter((holder) => holder.writingBytes > 0);
    writing.sort((a, b) => b.writingBytes - a.writingBytes);
    for (const holder of writing) {
      if (this.usedBytes <= enough) return;
      this.connectionsLetGo++;
      holder.letGo();
    }
    this.isExhausted = this.usedBytes > enough;
  }
}
