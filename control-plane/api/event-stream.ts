/**
 * The fleet as it is: one snapshot a second, and at once after a change, to everybody who watches. A snapshot is made
 * once, whoever many read it, and not at all when nobody does.
 */
import type { ServerResponse } from 'node:http';
import { SseClients } from './sse-clients.ts';

export const snapshotEveryMs = 1_000;
/** Changes come in bursts: several of them make one snapshot. */
export const changeDelayMs = 50;

export class EventStream {
  private readonly clients = new SseClients<null>();
  private readonly snapshot: () => unknown;
  private readonly timer: NodeJS.Timeout;
  private pending: NodeJS.Timeout | undefined;

  constructor(snapshot: () => unknown) {
    this.snapshot = snapshot;
    this.timer = setInterval(() => this.sendSnapshot(), snapshotEveryMs);
  }

  isFull(): boolean {
    return this.clients.isFull();
  }

  add(response: ServerResponse, mayListen: () => boolean): void {
    this.clients.add(response, null, mayListen, this.snapshotEvent());
  }

  changed(): void {
    if (this.pending || this.clients.size === 0) return;
    this.pending = setTimeout(() => {
      this.pending = undefined;
      this.sendSnapshot();
    }, changeDelayMs);
  }

  close(): void {
    clearInterval(this.timer);
    clearTimeout(this.pending);
    this.clients.close();
  }

  private sendSnapshot(): void {
    if (this.clients.size > 0) this.clients.send(this.snapshotEvent());
  }

  private snapshotEvent(): string {
    return `event: fleet\ndata: ${JSON.stringify(this.snapshot())}\n\n`;
  }
}
