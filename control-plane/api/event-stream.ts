/**
 * Server-sent events: one snapshot of the fleet a second, and at once after a change, to everybody who watches. A
 * snapshot is made once, whoever many read it, and not at all when nobody does. A client that does not read is cut off:
 * its browser connects again and is given the state of then, which is all it could use.
 */
import type { ServerResponse } from 'node:http';

export const clientsMax = 256;
/** Unread bytes after which a client is cut off. */
export const unreadBytesMax = 4 * 1024 * 1024;
export const snapshotEveryMs = 1_000;
export const pingEveryMs = 15_000;
/** Changes come in bursts: several of them make one snapshot. */
export const changeDelayMs = 50;

export class EventStream {
  private readonly clients = new Set<ServerResponse>();
  private readonly snapshot: () => unknown;
  private readonly timers: NodeJS.Timeout[];
  private pending: NodeJS.Timeout | undefined;

  constructor(snapshot: () => unknown) {
    this.snapshot = snapshot;
    this.timers = [
      setInterval(() => this.sendSnapshot(), snapshotEveryMs),
      setInterval(() => this.send('event: ping\ndata: {}\n\n'), pingEveryMs),
    ];
  }

  isFull(): boolean {
    return this.clients.size >= clientsMax;
  }

  /** Takes over a response whose head was not sent yet. */
  add(response: ServerResponse): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    response.on('error', () => this.drop(response));
    response.on('close', () => this.clients.delete(response));
    this.clients.add(response);
    this.write(response, `retry: 1000\n\n${this.snapshotEvent()}`);
  }

  changed(): void {
    if (this.pending || this.clients.size === 0) return;
    this.pending = setTimeout(() => {
      this.pending = undefined;
      this.sendSnapshot();
    }, changeDelayMs);
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    clearTimeout(this.pending);
    for (const client of this.clients) {
      client.end();
      client.destroy();
    }
    this.clients.clear();
  }

  private sendSnapshot(): void {
    if (this.clients.size > 0) this.send(this.snapshotEvent());
  }

  private snapshotEvent(): string {
    return `event: fleet\ndata: ${JSON.stringify(this.snapshot())}\n\n`;
  }

  private send(event: string): void {
    for (const client of this.clients) this.write(client, event);
  }

  private write(client: ServerResponse, event: string): void {
    if (client.writableLength > unreadBytesMax) this.drop(client);
    else client.write(event);
  }

  private drop(client: ServerResponse): void {
    this.clients.delete(client);
    client.destroy();
  }
}
