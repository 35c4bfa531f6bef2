/**
 * GET /healthz: the process answers. GET /readyz: a policy (or the built-in pass-through) is in force, the proxy is not
 * draining, and the app, if it is asked at all, is healthy.
 */
import type { FastifyInstance } from 'fastify';
import { createDoor } from './door.ts';

export function healthDoor(notReadyBecause: () => string): FastifyInstance {
  const door = createDoor();
  door.get('/healthz', (_request, reply) => reply.type('text/plain').send('ok\n'));
  door.get('/readyz', (_request, reply) => {
    const why = notReadyBecause();
    return reply
      .code(why === '' ? 200 : 503)
      .type('text/plain')
      .send(why === '' ? 'ready\n' : `not ready: ${why}\n`);
  });
  return door;
}
