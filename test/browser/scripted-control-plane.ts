/**
 * The control plane as a browser sees it, with the test in charge of what it says and when: the built files of the
 * dashboard, an event stream that sends what it is told, policies with a history, and a door with a token.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import type { FleetSnapshot } from '../../proto/api.ts';
import { distFolder } from '../support/process.ts';

export const dashboardFolder = join(distFolder, 'control-plane/dashboard');

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

const document = (waitMax: string, generation: number): object => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name: 'payments', namespace: 'shop', generation, resourceVersion: String(10 + generation) },
  spec: {
    target: { service: 'payments' },
    inbound: { concurrency: { fixed: { limit: 5 } }, queue: { requestsMax: 8, waitMax } },
    outbound: { timeout: '1s', circuitBreaker: { consecutiveFailures: 5, openFor: '1s', fleet: { enabled: true } } },
  },
});

export class ScriptedControlPlane {
  readonly url: string;
  /** When set, everything but the files wants this token or the cookie it was exchanged for. */
  token: string | undefined;
  /** What a new watcher is told at once; nothing while null. */
  current: FleetSnapshot | null = null;
  private readonly server: Server;
  private readonly watchers = new Set<ServerResponse>();

  private constructor(server: Server, url: string) {
    this.server = server;
    this.url = url;
  }

  static async start(): Promise<ScriptedControlPlane> {
    let plane: ScriptedControlPlane | undefined;
    const server = createServer((request, response) => plane?.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    plane = new ScriptedControlPlane(server, `http://127.0.0.1:${address.port}`);
    return plane;
  }

  send(snapshot: FleetSnapshot): void {
    this.current = snapshot;
    for (const watcher of this.watchers) write(watcher, snapshot);
  }

  get watching(): number {
    return this.watchers.size;
  }

  /** Ends every stream, as a control plane that is killed does. */
  hangUp(): void {
    this.current = null;
    for (const watcher of this.watchers) watcher.destroy();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = new URL(request.url ?? '/', this.url).pathname;
    if (!path.startsWith('/v1/')) return file(path, response);
    const isKnown = request.headers.authorization === `Bearer ${this.token}`;
    if (this.token !== undefined && !isKnown && !request.headers.cookie?.includes('weir_session=yes')) {
      return json(response, 401, { title: 'unauthenticated', status: 401 });
    }
    if (path === '/v1/session') {
      response.setHeader('set-cookie', 'weir_session=yes; HttpOnly; SameSite=Strict; Path=/');
      response.writeHead(204).end();
    } else if (path === '/v1/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      this.watchers.add(response);
      response.on('close', () => this.watchers.delete(response));
      if (this.current) write(response, this.current);
    } else if (path === '/v1/policies') json(response, 200, { items: [document('150ms', 2)] });
    else if (path.endsWith('/revisions')) {
      json(response, 200, {
        items: [
          {
            revision: 2,
            action: 'update',
            at: '2026-11-24T14:01:40.000Z',
            by: 'ana',
            summary: 'spec.inbound.queue.waitMax: 100ms → 150ms',
            policy: document('150ms', 2),
          },
          {
            revision: 1,
            action: 'create',
            at: '2026-11-24T09:12:00.000Z',
            by: 'ana',
            summary: 'created',
            policy: document('100ms', 1),
          },
        ],
      });
    } else if (path === '/v1/version') json(response, 200, { name: 'weir', version: '0.1.0', id: 'cp-0' });
    else json(response, 404, { title: 'not found', status: 404 });
  }
}

function write(watcher: ServerResponse, snapshot: FleetSnapshot): void {
  watcher.write(`event: fleet\ndata: ${JSON.stringify(snapshot)}\n\n`);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function file(path: string, response: ServerResponse): void {
  const full = join(dashboardFolder, path === '/' ? 'index.html' : path);
  if (!full.startsWith(dashboardFolder) || !existsSync(full)) {
    response.writeHead(404).end();
    return;
  }
  response
    .writeHead(200, { 'content-type': types[extname(full)] ?? 'application/octet-stream' })
    .end(readFileSync(full));
}
