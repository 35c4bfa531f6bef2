/** Who may use the API, and what was done with it: tokens, sessions, the audit. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { AuditList, CreatedTokenView, TokenList, TokenRequest, TokenView, WhoAmIView } from '../../proto/api-access.ts';
import { type AuditLog, auditedKinds, pageDefault } from '../service/audit-log.ts';
import type { TokenService } from '../service/token-service.ts';
import type { Access } from './access.ts';
import { sendProblem, sendRefusal } from './problem.ts';
import { Nothing, PageQuery, pageOf, strict, WriteQuery } from './request-parts.ts';

const OneToken = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{12}$' }) }, strict);
type OneToken = Static<typeof OneToken>;
const DryRunQuery = Type.Object({ dryRun: WriteQuery.properties.dryRun }, strict);
type DryRunQuery = Static<typeof DryRunQuery>;
const AuditQuery = Type.Object(
  {
    kind: Type.Optional(Type.Enum([...auditedKinds], { type: 'string' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: pageDefault })),
    continue: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', maxLength: 15 })),
  },
  strict,
);
type AuditQuery = Static<typeof AuditQuery>;

export interface AccessRoutesOptions {
  readonly access: Access;
  readonly tokens: TokenService;
  readonly auditLog: AuditLog;
  readonly by: (request: FastifyRequest) => string;
}

export function accessRoutes(app: FastifyInstance, { access, tokens, auditLog, by }: AccessRoutesOptions): void {
  const admin = { role: 'admin' } as const;

  app.get(
    '/v1/whoami',
    { schema: { summary: 'Who the API takes you for', querystring: Nothing, response: { 200: WhoAmIView } } },
    async ({ principal }, reply) =>
      principal ? reply.send({ name: principal.name, role: principal.role }) : sendProblem(reply, 'unauthenticated'),
  );

  app.get<{ Querystring: PageQuery }>(
    '/v1/tokens',
    { config: admin, schema: { summary: 'List tokens', querystring: PageQuery, response: { 200: TokenList } } },
    async (request, reply) => reply.send(pageOf(tokens.list(), ({ id }) => id, request.query)),
  );

  app.post<{ Body: TokenRequest; Querystring: DryRunQuery }>(
    '/v1/tokens',
    {
      config: admin,
      schema: {
        summary: 'Make a token; the answer is the only place where it can be seen',
        querystring: DryRunQuery,
        body: TokenRequest,
        response: { 200: CreatedTokenView, 201: CreatedTokenView },
      },
    },
    async (request, reply) => {
      const isDry = request.query.dryRun === 'All';
      const outcome = await tokens.create(request.body, by(request), isDry);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      reply.header('cache-control', 'no-store');
      return reply.code(isDry ? 200 : 201).send({ ...outcome.view, token: outcome.token });
    },
  );

  app.delete<{ Params: OneToken; Querystring: DryRunQuery }>(
    '/v1/tokens/:id',
    {
      config: admin,
      schema: { summary: 'Revoke a token', params: OneToken, querystring: DryRunQuery, response: { 200: TokenView } },
    },
    async (request, reply) => {
      const outcome = await tokens.revoke(request.params.id, by(request), request.query.dryRun === 'All');
      return outcome.kind === 'ok' ? reply.send(outcome.view) : sendRefusal(reply, outcome);
    },
  );

  app.get<{ Querystring: AuditQuery }>(
    '/v1/audit',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'What was done and denied, newest first',
        querystring: AuditQuery,
        response: { 200: AuditList },
      },
    },
    async (request, reply) => {
      const { kind, limit = pageDefault, continue: before } = request.query;
      const outcome = await auditLog.recent(kind, limit, before === undefined ? undefined : Number(before));
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      const { items } = outcome;
      return reply.send(outcome.before === undefined ? { items } : { items, continue: String(outcome.before) });
    },
  );

  app.post(
    '/v1/session',
    {
      config: { role: 'viewer' },
      schema: { summary: 'Exchange the token for a cookie that may read', response: { 204: Nothing } },
    },
    async ({ principal }, reply) => {
      if (!principal) return sendProblem(reply, 'unauthenticated');
      return reply
        .code(204)
        .header('set-cookie', access.openSession(principal))
        .header('cache-control', 'no-store')
        .send();
    },
  );
}
