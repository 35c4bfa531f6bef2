/** The apps behind the proxies that are not gRPC: small and large answers, echoes, connections closed after an answer. */
import http from 'node:http';
import http2 from 'node:http2';
import type { Server } from 'node:net';

const small = Buffer.alloc(200, 's');
const big = Buffer.alloc(300_000, 'b');

export interface WebApp {
  readonly address: string;
  stop(): void;
}

export async function startHttp1App(): Promise<WebApp> {
  const server = http.createServer((request, response) => {
    if (request.url === '/closing') response.setHeader('connection', 'close');
    response.writeHead(200, { 'content-type': 'text/plain' });
    if (request.method === 'POST') request.pipe(response);
    else if (request.url === '/big') {
      response.write(big.subarray(0, 100_000));
      response.end(big.subarray(100_000));
    } else response.end(small);
  });
  const address = await listening(server);
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { address, stop };
}

export async function startHttp2App(): Promise<WebApp> {
  const sessions = new Set<http2.ServerHttp2Session>();
  // Node counts the answers of streams that were reset until their session ends, and refuses streams above 10 MB.
  const server = http2.createServer({ maxSessionMemory: 4096 });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => session.destroy());
    session.once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream) => {
    stream.on('error', () => stream.destroy());
    stream.respond({ ':status': 200 });
    stream.end(big);
  });
  const address = await listening(server);
  const stop = (): void => {
    server.close();
    for (const session of sessions) session.destroy();
  };
  return { address, stop };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
}
