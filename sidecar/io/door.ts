/**
 * What the three operators' doors have in common: a small fastify server of its own on its own address, so that a door
 * opened to the network opens nothing else (Envoy's admin leaked through its metrics port).
 */
import { rmSync } from 'node:fs';
import fastify, { type FastifyInstance } from 'fastify';
import type { ListenAddress } from '../../proto/kernel/options.ts';

/** A request to a door is a line; anything larger is not meant for it. */
const bodyBytesMax = 4096;

export function createDoor(): FastifyInstance {
  const door = fastify({
    bodyLimit: bodyBytesMax,
    connectionTimeout: 10_000,
    requestTimeout: 10_000,
    exposeHeadRoutes: false,
  });
  door.setNotFoundHandler((_request, reply) => reply.code(404).type('text/plain').send('not found\n'));
  door.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) =>
    reply
      .code(error.statusCode ?? 500)
      .type('text/plain')
      .send(`${error.message}\n`),
  );
  return door;
}

/** Resolves with the address as text. */
export async function openDoor(door: FastifyInstance, address: ListenAddress): Promise<string> {
  if ('path' in address) {
    // A socket file left by a process that was killed would refuse the next one.
    rmSync(address.path, { force: true });
    await door.listen({ path: address.path });
    return `unix:${address.path}`;
  }
  await door.listen({ host: address.host, port: address.port });
  const bound = door.server.address();
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${typeof bound === 'object' && bound !== null ? bound.port : address.port}`;
}
