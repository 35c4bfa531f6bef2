/** Accepted TLS sockets read into the shared buffer, on this node; what they read is what was sent. */
import { createHash } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { readSlab } from '../../../sidecar/io/read-slab.ts';
import { readIntoSlab } from '../../../sidecar/io/tls/tls-read-slab.ts';
import { Authority } from '../../support/certificates.ts';

const authority = new Authority('mesh');

test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: 2 MB arrive in order, all of it through the slab', async (version) => {
  const received = createHash('sha256');
  const buffers = new Set<unknown>();
  let bytes = 0;
  const server = tls.createServer({ ...authority.issue({ dns: ['app.test'] }), minVersion: version }, (socket) => {
    const isShared = readIntoSlab(socket, (count, buf) => {
      buffers.add(buf.buffer);
      received.update(buf.subarray(0, count));
      bytes += count;
      socket.write(`${bytes}\n`);
    });
    expect(isShared).toBe(true);
    socket.on('end', () => socket.end('over'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const content = Buffer.alloc(2_000_000);
  for (let i = 0; i < content.length; i += 4) content.writeUInt32LE(i, i);
  const socket = tls.connect({
    socket: net.connect(port, '127.0.0.1'),
    servername: 'app.test',
    ca: authority.cert,
    maxVersion: version,
  });
  // Written before the handshake, so that its first bytes come with the end of it.
  socket.end(content);
  let answer = '';
  for await (const part of socket) answer += String(part);
  await new Promise((resolve) => server.close(resolve));
  expect(bytes).toBe(content.length);
  expect(received.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
  expect(answer.endsWith(`${content.length}\nover`)).toBe(true);
  expect([...buffers]).toEqual([readSlab.buffer]);
});
