/**
 * What one connection holds in memory, for the budget: the waiting data of its streams and the write under way; and who
 * has to go when there is too much of it, or when a stream has stalled for longer than its policy allows.
 */
import type { FlowBudget, Holder, Queued } from './flow-budget.ts';
import { chunkBytes } from './output.ts';
import type { Sender } from './sender.ts';
import { Stalls } from './stalls.ts';
import type { Http2Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

export interface HoldingOwner {
  /** Ends a stream for reasons of flow control; both ends hear of it. */
  letStreamGo(stream: Http2Stream): void;
  letGo(): void;
}

export class Holding implements Holder {
  writingBytes = 0;
  private readonly owner: HoldingOwner;
  private readonly table: StreamTable;
  private readonly budget: FlowBudget;
  private readonly stalls: Stalls;

  constructor(owner: HoldingOwner, table: StreamTable, sender: Sender, budget: FlowBudget, isServer: boolean) {
    this.owner = owner;
    this.table = table;
    this.budget = budget;
    this.stalls = new Stalls(sender, budget, isServer);
    budget.holders.add(this);
  }

  beginWrite(chunks: number): void {
    this.writingBytes = chunks * chunkBytes;
    this.budget.charge(this.writingBytes);
  }

  endWrite(): void {
    this.budget.release(this.writingBytes);
    this.writingBytes = 0;
  }

  onTick(nowMs: number): void {
    for (const stream of this.stalls.observe(this.table.byId.values(), nowMs)) {
      this.budget.stallResets++;
      this.owner.letStreamGo(stream);
    }
  }

  /** The connection is gone, and its queues with it. */
  close(): void {
    this.endWrite();
    this.budget.holders.delete(this);
  }

  collectQueued(into: Queued[]): void {
    for (const stream of this.table.byId.values()) {
      const pinnedBytes = stream.queue?.pinnedBytes ?? 0;
      if (pinnedBytes > 0) into.push({ pinnedBytes, letGo: () => this.owner.letStreamGo(stream) });
    }
  }

  letGo(): void {
    this.owner.letGo();
  }
}
