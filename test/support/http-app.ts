/** The app behind a sidecar in tests: HTTP/1.1 that says what it saw, on a port of its own or a Unix socket. */
import http from 'node:http';
import type { ListenOptions } from 'node:net';

export interface HttpApp {
  /** As `--app` takes it. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Answers every request with its body, and what it saw of the head in `x-seen`. */
export async function startHttpApp(path?: string): Promise<HttpApp> {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'x-seen': JSON.stringify({ method: request.method, url: request.url }) });
    request.pipe(response);
  });
  const where: ListenOptions = path === undefined ? { host: '127.0.0.1', port: 0 } : { path };
  await new Promise<void>((resolve) => server.listen(where, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    address: path === undefined ? `127.0.0.1:${port}` : `unix:${path}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
