/** The HTTP side of the control plane, put together: who may ask, what can be asked, and how a refusal looks. */
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import type { Log } from '../../proto/kernel/log-format.ts';
import type { DeadLetters } from '../service/dead-letters.ts';
import type { FleetService } from '../service/fleet-service.ts';
import type { ImpactService } from '../service/impact-service.ts';
import type { PolicyHistory } from '../service/policy-history.ts';
import type { PolicyService } from '../service/policy-service.ts';
import type { Redrives } from '../service/redrives.ts';
import type { RolloutService } from '../service/rollout-service.ts';
import { Access } from './access.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { EventStream } from './event-stream.ts';
import { fleetRoutes } from './fleet-routes.ts';
import { historyRoutes } from './history-routes.ts';
import { impactRoutes } from './impact-routes.ts';
import { OpenApi } from './openapi.ts';
import { policyRoutes } from './policy-routes.ts';
import { requestProblem, sendProblem } from './problem.ts';
import { YamlText } from './request-parts.ts';
import { rolloutRoutes } from './rollout-routes.ts';
import { StaticFiles } from './static-files.ts';

export interface ApiOptions {
  readonly policies: PolicyService;
  readonly history: PolicyHistory;
  readonly letters: DeadLetters;
  readonly redrives: Redrives;
  readonly rollouts: RolloutService;
  readonly impacts: ImpactService;
  readonly fleet: FleetService;
  readonly token: string | undefined;
  readonly isLoopback: boolean;
  readonly isConnected: () => boolean;
  readonly nowMs: () => number;
  readonly dashboardFolder: string;
  readonly version: string;
  readonly id: string;
  readonly log: Log;
}

export const bodyBytesMax = 1024 * 1024;
/** A request that is not whole after this is ended; streams of events are answers, not requests. */
const requestTimeoutMs = 15_000;

export function createApi(options: ApiOptions): FastifyInstance {
  const { policies, fleet, token, isLoopback, isConnected, nowMs, version, id, log } = options;
  const access = new Access({ token, isLoopback, nowMs });
  const events = new EventStream(() => fleet.snapshot());
  const files = new StaticFiles(options.dashboardFolder);
  const openApi = new OpenApi();

  const app = fastify({
    bodyLimit: bodyBytesMax,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 253 },
    // What is unknown is refused, not dropped; every error is named.
    ajv: { customOptions: { removeAdditional: false, allErrors: true, coerceTypes: true, useDefaults: true } },
    // A request that Node's parser refuses never becomes one of ours.
    clientErrorHandler(_error, socket) {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    },
  });
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.addContentTypeParser(/^application\/(x-)?yaml/, { parseAs: 'string' }, (_request, body, done) => {
    done(null, new YamlText(String(body)));
  });
  app.addHook('onRoute', (route) => openApi.add(route));
  app.addHook('onRequest', async (request, reply) => {
    const denial =
      access.checkAddress(request) ??
      (request.is404 || request.routeOptions.config.access === 'open' ? undefined : access.checkCredential(request));
    if (denial) return sendProblem(reply, denial.type, { detail: denial.detail });
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = requestProblem(error);
    if (known) return sendProblem(reply, known.type, known.details);
    log.error('request failed', { method: request.method, url: request.url, error });
    return sendProblem(reply, 'internal');
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '/';
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const file = isRead ? files.find(path) : undefined;
    if (file || (isRead && path === '/')) return files.send(request, reply, file);
    return sendProblem(reply, 'not-found', { detail: `there is nothing at ${request.method} ${path.slice(0, 200)}` });
  });

  app.get('/openapi.json', { schema: { hide: true } }, async () => openApi.document(version));
  fleetRoutes(app, { fleet, events, access, isConnected, isReady: () => policies.isLoaded(), version, id });
  const by = (): string => access.subject();
  policyRoutes(app, { policies, by });
  historyRoutes(app, { history: options.history, by });
  impactRoutes(app, options.impacts);
  deadLetterRoutes(app, { letters: options.letters, redrives: options.redrives, by });
  rolloutRoutes(app, { rollouts: options.rollouts, policies, by });

  const stopWatching = fleet.onChange(() => events.changed());
  app.addHook('preClose', async () => {
    stopWatching();
    events.close();
  });
  return app;
}
