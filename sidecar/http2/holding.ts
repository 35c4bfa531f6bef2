/**
 * What one connection holds in memory, for the budget: the waiting data of its streams and the write under way, and how
 * each is let go. It watches how long that data waits, too.
 */
import type { FlowBudget, Holder, Queued } from './flow-budget.ts';
import type { Written } from './output.ts';
import type { Receiver } from './receiver.ts';
import type { Sender } from './sender.ts';
import { Stalls } from './stalls.ts';
import type { Http2Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';
import type { StreamView } from './stream-view.ts';

export interface HoldingOwner {
  readonly isServer: boolean;
  readonly peerName: string;
  /** Ends a stream to free what it holds; both ends hear of it. */
  letStreamGo(stream: Http2Stream): void;
  letGo(): void;
}

export class Holding implements Holder {
  writingBytes = 0;
  private readonly owner: HoldingOwner;
  private readonly table: StreamTable;
  private readonly receiver: Receiver;
  private readonly budget: FlowBudget;
  private readonly stalls: Stalls;

  constructor(owner: HoldingOwner, table: StreamTable, sender: Sender, receiver: Receiver, budget: FlowBudget) {
    this.owner = owner;
    this.table = table;
    this.receiver = receiver;
    this.budget = budget;
    this.stalls = new Stalls(sender, budget, owner.isServer);
    budget.holders.add(this);
  }

  beginWrite(parts: readonly Written[]): void {
    let bytes = 0;
    for (let i = 0; i < parts.length; i++) bytes += parts[i]!.chunk.length;
    this.writingBytes = bytes;
    this.budget.charge(this.writingBytes);
  }

  endWrite(): void {
    this.budget.release(this.writingBytes);
    this.writingBytes = 0;
  }

  onTick(nowMs: number): void {
    this.stalls.observe(this.table, nowMs);
  }

  /** The connection is gone, and its queues with it. */
  close(): void {
    this.endWrite();
    this.budget.holders.delete(this);
  }

  get promisedBytes(): number {
    return this.receiver.window;
  }

  collectStreams(into: StreamView[]): void {
    const { isServer, peerName } = this.owner;
    for (const stream of this.table.byId.values()) {
      into.push({
        side: isServer ? 'downstream' : 'upstream',
        peer: peerName,
        stream: stream.id,
        sendWindow: stream.sendWindow,
        receiveWindow: stream.receiveWindow,
        windowBytes: stream.windowBytes,
        queuedBytes: stream.queuedBytes,
        heldBytes: stream.held,
        isStalled: stream.stalledSinceMs > 0,
        stalledMs: Math.round(stream.stalledMs),
        messagesDropped: stream.source?.messagesDropped ?? 0,
      });
    }
  }

  collectQueued(into: Queued[]): void {
    for (const stream of this.table.byId.values()) {
      const pinnedBytes = (stream.queue?.pinnedBytes ?? 0) + (stream.source?.pinnedBytes ?? 0);
      if (pinnedBytes > 0) into.push({ pinnedBytes, letGo: () => this.owner.letStreamGo(stream) });
    }
  }

  letGo(): void {
    this.owner.letGo();
  }
}
