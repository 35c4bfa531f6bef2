/** A service that says what reached it: method, path, how much content, which trailers; and answers with trailers. */
import { createHash } from 'node:crypto';
import http2 from 'node:http2';

export interface Origin {
  readonly address: string;
  close(): void;
}

export async function startOrigin(): Promise<Origin> {
  const server = http2.createServer((request, response) => {
    const hash = createHash('sha256');
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    request.on('error', () => {});
    request.on('end', () => {
      const sha256 = hash.digest('hex');
      const { method, url: path, trailers } = request;
      response.writeHead(200, { 'content-type': 'application/json', trailer: 'x-sha256' });
      response.addTrailers({ 'x-sha256': sha256 });
      if (method === 'HEAD') response.end();
      else response.end(`${JSON.stringify({ method, path, bytes, sha256, trailers })}\n`);
    });
  });
  server.on('sessionError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('the origin has no port');
  return { address: `127.0.0.1:${at.port}`, close: () => server.close() };
}
