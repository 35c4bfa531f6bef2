/** The HTTP side of the control plane, put together: who may ask, what can be asked, and how a refusal looks. */
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Log } from '../../proto/kernel/log-format.ts';
import type { AuditLog } from '../service/audit-log.ts';
import type { BreakerForce } from '../service/breaker-force.ts';
import type { BreakerService } from '../service/breaker-service.ts';
import type { DeadLetters } from '../service/dead-letters.ts';
import type { FleetService } from '../service/fleet-service.ts';
import type { ImpactService } from '../service/impact-service.ts';
import type { PolicyHistory } from '../service/policy-history.ts';
import type { PolicyService } from '../service/policy-service.ts';
import type { Redrives } from '../service/redrives.ts';
import type { RolloutService } from '../service/rollout-service.ts';
import type { TokenService } from '../service/token-service.ts';
import type { Access, Denial } from './access.ts';
import { accessRoutes } from './access-routes.ts';
import { breakerRoutes } from './breaker-routes.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { EventStream } from './event-stream.ts';
import { fleetRoutes } from './fleet-routes.ts';
import { historyRoutes } from './history-routes.ts';
import { impactRoutes } from './impact-routes.ts';
import { OpenApi, roleFor } from './openapi.ts';
import { policyRoutes } from './policy-routes.ts';
import { requestProblem, sendProblem } from './problem.ts';
import { type Watch, YamlText } from './request-parts.ts';
import { ResourceWatch } from './resource-watch.ts';
import { rolloutRoutes } from './rollout-routes.ts';
import { StaticFiles } from './static-files.ts';
import { watchedPolicies, watchedRollouts } from './watched-lists.ts';

export interface ApiOptions {
  readonly policies: PolicyService;
  readonly history: PolicyHistory;
  readonly letters: DeadLetters;
  readonly redrives: Redrives;
  readonly rollouts: RolloutService;
  readonly impacts: ImpactService;
  readonly fleet: FleetService;
  readonly breakers: BreakerService;
  readonly force: BreakerForce;
  readonly tokens: TokenService;
  readonly auditLog: AuditLog;
  readonly access: Access;
  /** Calls back soon after a policy or a rollout changed; answers how to stop. */
  readonly onResourceChange: (callback: () => void) => () => void;
  readonly isConnected: () => boolean;
  readonly dashboardFolder: string;
  readonly version: string;
  readonly id: string;
  readonly log: Log;
}

export const bodyBytesMax = 1024 * 1024;
/** A request that is not whole after this is ended; streams of events are answers, not requests. */
const requestTimeoutMs = 15_000;

export function createApi(options: ApiOptions): FastifyInstance {
  const { policies, fleet, tokens, auditLog, access, isConnected, version, id, log } = options;
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
  app.decorateRequest('principal', null);
  app.addHook('onRoute', (route) => openApi.add(route));
  app.addHook('onRequest', async (request, reply) => {
    const stranger = access.checkAddress(request);
    if (stranger) return deny(request, reply, stranger, '');
    const { config } = request.routeOptions;
    if (request.is404 || config.access === 'open') return;
    const answer = await access.check(request, roleFor(request.method, config.role));
    if (!answer.ok) return deny(request, reply, answer.denial, answer.by);
    request.principal = answer.principal;
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
  const mayListen = ({ principal }: FastifyRequest): boolean => principal === null || access.isLive(principal);
  fleetRoutes(app, { fleet, events, mayListen, isConnected, isReady: () => policies.isLoaded(), version, id });
  const by = ({ principal }: FastifyRequest): string => principal?.name ?? '';
  accessRoutes(app, { access, tokens, auditLog, by });
  const policyWatch = new ResourceWatch(() => watchedPolicies(policies));
  const rolloutWatch = new ResourceWatch(() => watchedRollouts(options.rollouts));
  const watching =
    (resource: ResourceWatch): Watch =>
    (request, reply, namespace) => {
      if (resource.isFull()) return sendProblem(reply, 'unavailable', { detail: 'too many watch already' });
      reply.hijack();
      resource.add(reply.raw, namespace, () => mayListen(request));
      return reply;
    };
  policyRoutes(app, { policies, by, watch: watching(policyWatch) });
  historyRoutes(app, { history: options.history, by });
  impactRoutes(app, options.impacts);
  deadLetterRoutes(app, { letters: options.letters, redrives: options.redrives, by });
  breakerRoutes(app, { breakers: options.breakers, force: options.force, by });
  rolloutRoutes(app, { rollouts: options.rollouts, policies, by, watch: watching(rolloutWatch) });

  function deny(request: FastifyRequest, reply: FastifyReply, { type, detail }: Denial, who: string): FastifyReply {
    const action = `${request.method} ${request.url.split('?', 1)[0]?.slice(0, 200) ?? ''}`;
    auditLog.denied({ by: who, action, why: detail, from: request.ip });
    return sendProblem(reply, type, { detail });
  }

  const stops = [
    fleet.onChange(() => events.changed()),
    options.onResourceChange(() => {
      policyWatch.changed();
      rolloutWatch.changed();
    }),
  ];
  app.addHook('preClose', async () => {
    for (const stop of stops) stop();
    events.close();
    policyWatch.close();
    rolloutWatch.close();
  });
  return app;
}
