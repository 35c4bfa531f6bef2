/**
 * Flow-control stalls: streams that have data and may not send it. They are looked for by ticks, a few times a second,
 * so that a stream which flows pays nothing for it but one store a frame. A stall is no error, since a consumer that
 * pauses on purpose is what flow control is for: it is timed here and no more. Policy may end a stream that takes too
 * long (exchange/stall-watch.ts).
 */
import { type FlowBudget, StallScope, stallScopeNames } from './flow-budget.ts';
import type { Sender } from './sender.ts';
import type { Http2Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

export class Stalls {
  private readonly sender: Sender;
  private readonly budget: FlowBudget;
  /** Where this direction's counters begin. */
  private readonly offset: number;
  private lastMs = 0;

  constructor(sender: Sender, budget: FlowBudget, isServer: boolean) {
    this.sender = sender;
    this.budget = budget;
    this.offset = isServer ? 0 : stallScopeNames.length;
  }

  observe(table: StreamTable, nowMs: number): void {
    const elapsedMs = this.lastMs === 0 ? 0 : nowMs - this.lastMs;
    this.lastMs = nowMs;
    if (this.sender.queuedBytes === 0) return;
    for (const stream of table.byId.values()) {
      if (stream.queuedBytes === 0) continue;
      const scope = this.scopeOf(stream);
      if (scope < 0) continue;
      if (stream.stalledSinceMs === 0) {
        stream.stalledSinceMs = nowMs;
        continue;
      }
      const stalledMs = Math.min(elapsedMs, nowMs - stream.stalledSinceMs);
      stream.stalledMs += stalledMs;
      this.budget.stalledMs[this.offset + scope]! += stalledMs;
    }
  }

  private scopeOf(stream: Http2Stream): number {
    if (stream.sendWindow <= 0) return StallScope.stream;
    if (this.sender.window <= 0) return StallScope.connection;
    return this.sender.isBlocked ? StallScope.socket : -1;
  }
}
