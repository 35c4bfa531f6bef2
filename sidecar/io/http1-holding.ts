/**
 * What HTTP/1.1 holds in memory, for the process's budget: content that was written and that no socket has taken yet.
 * Unlike an HTTP/2 connection, a socket here carries one stream at a time, so what is let go is the stream with it.
 */
import type { Holder, Queued } from '../http2/flow-budget.ts';
import type { StreamView } from '../http2/stream-view.ts';
import { flowBudget } from './flow-budget.ts';

class Http1Holding implements Holder {
  readonly promisedBytes = 0;
  readonly writingBytes = 0;
  private readonly busy = new Set<Queued>();

  /** The queue holds something now. */
  add(queue: Queued): void {
    if (this.busy.size === 0) flowBudget.holders.add(this);
    this.busy.add(queue);
  }

  delete(queue: Queued): void {
    if (this.busy.delete(queue) && this.busy.size === 0) flowBudget.holders.delete(this);
  }

  collectQueued(into: Queued[]): void {
    for (const queue of this.busy) into.push(queue);
  }

  /** Its streams have no windows to show. */
  collectStreams(_into: StreamView[]): void {}

  /** It holds nothing beside its streams. */
  letGo(): void {}
}

export const http1Holding = new Http1Holding();
