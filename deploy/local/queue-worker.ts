/**
 * The consumer of the queue demo: takes jobs by POST, works on four at a time for 40 ms each, and lets whatever else comes
 * wait in its memory, as a service does that nobody protects.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export const workers = 4;
export const jobMs = 40;
/** Jobs a second, of one consumer. */
export const capacity = (1000 * workers) / jobMs;

export interface JobDone {
  readonly waitedMs: number;
}

export class QueueWorker {
  readonly address: string;
  /** In its hands now, and at most since the last reset. */
  inHand = 0;
  inHandMax = 0;
  done: JobDone[] = [];
  private readonly server: Server;
  private readonly waiting: (() => void)[] = [];
  private working = 0;

  private constructor(server: Server, address: string) {
    this.server = server;
    this.address = address;
  }

  static async start(): Promise<QueueWorker> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const worker = new QueueWorker(server, `127.0.0.1:${portOf(server.address())}`);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        void worker.take(Number(Buffer.concat(chunks).toString())).then(() => response.writeHead(204).end());
      });
    });
    return worker;
  }

  reset(): void {
    this.done = [];
    this.inHandMax = this.inHand;
  }

  /** Forgets what waits, as after a restart, and lets what is begun end. */
  async clear(): Promise<void> {
    this.inHand -= this.waiting.splice(0).length;
    while (this.working > 0) await new Promise((resolve) => setTimeout(resolve, jobMs / 4));
    this.reset();
  }

  stop(): void {
    this.waiting.length = 0;
    this.server.close();
    this.server.closeAllConnections();
  }

  private async take(madeMs: number): Promise<void> {
    this.inHand++;
    this.inHandMax = Math.max(this.inHandMax, this.inHand);
    if (this.working >= workers) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.working++;
    await new Promise((resolve) => setTimeout(resolve, jobMs));
    this.working--;
    this.inHand--;
    this.done.push({ waitedMs: performance.now() - madeMs });
    this.waiting.shift()?.();
  }
}

export function portOf(address: string | AddressInfo | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}
