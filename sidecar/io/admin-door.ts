/**
 * What an operator on the machine may see and do: the configuration in force, the numbers, and the drain. The app may say
 * here how fast it takes requests. Changes are
 * POST or PUT only and refused to browsers: a page from elsewhere carries an Origin, and a rebound name a foreign Host.
 */
import type { FastifyInstance } from 'fastify';
import { createDoor } from './door.ts';
import type { PressureControl } from './pressure/pressure-control.ts';
import { PressureGrpc } from './pressure/pressure-grpc.ts';
import { addPressure } from './pressure/pressure-http.ts';

export interface AdminFacts {
  config(): unknown;
  stats(): unknown;
  /** Open streams with their windows and stalls, those that hold most first. */
  streams(): unknown;
  /** Begins to drain, or goes on. */
  drain(): void;
  /** Requests in flight on the inbound side. */
  inFlight(): number;
}

/** `pressure`: by what the app says how fast it takes requests; null without an app. */
export function adminDoor(facts: AdminFacts, pressure: PressureControl | null): FastifyInstance {
  const door = createDoor();
  door.addHook('onRequest', async (request, reply) => {
    const host = (request.headers.host ?? '').replace(/:[0-9]+$/, '');
    const isLocal = host === '' || /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])$/.test(host);
    if (request.headers.origin !== undefined || !isLocal) {
      await reply.code(403).type('text/plain').send('not for browsers, nor under this host name\n');
    }
  });
  if (pressure !== null) {
    addPressure(door, pressure);
    const grpc = new PressureGrpc(pressure);
    grpc.listenOn(door.server);
    door.addHook('preClose', async () => grpc.close());
    door.addHook('onClose', async () => pressure.close());
  }
  door.get('/config', () => facts.config());
  door.get('/stats', () => facts.stats());
  door.get('/streams', () => facts.streams());
  door.post('/drain', () => {
    facts.drain();
    const inFlight = facts.inFlight();
    return { drained: inFlight === 0, inFlight };
  });
  return door;
}
