/**
 * Whoever reads server-sent events. Bounded in number and in what each has not read: a client that does not read is cut
 * off, connects again and is given the state of then, which is all it could use. Every 15 s each hears a ping, and is cut
 * off when it may not listen any longer, because its token was revoked or has expired.
 */
import type { ServerResponse } from 'node:http';

/** Of one kind of stream. */
export const clientsMax = 256;
/** Unread bytes after which a client is cut off. */
export const unreadBytesMax = 4 * 1024 * 1024;
export const pingEveryMs = 15_000;

export class SseClients<Interest> {
  private readonly clients = new Map<
    ServerResponse,
    { readonly interest: Interest; readonly mayListen: () => boolean }
  >();
  private readonly timer = setInterval(() => this.ping(), pingEveryMs);

  get size(): number {
    return this.clients.size;
  }

  isFull(): boolean {
    return this.clients.size >= clientsMax;
  }

  /** Takes over a response whose head was not sent yet. */
  add(response: ServerResponse, interest: Interest, mayListen: () => boolean, first: string): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    response.on('error', () => this.drop(response));
    response.on('close', () => this.clients.delete(response));
    this.clients.set(response, { interest, mayListen });
    this.write(response, `retry: 1000\n\n${first}`);
  }

  send(event: string, isFor: (interest: Interest) => boolean = () => true): void {
    for (const [client, { interest }] of this.clients) if (isFor(interest)) this.write(client, event);
  }

  close(): void {
    clearInterval(this.timer);
    for (const client of this.clients.keys()) {
      client.end();
      client.destroy();
    }
    this.clients.clear();
  }

  private ping(): void {
    for (const [client, { mayListen }] of this.clients) {
      if (mayListen()) this.write(client, 'event: ping\ndata: {}\n\n');
      else this.drop(client);
    }
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
