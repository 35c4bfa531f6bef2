/** What a policy was, what changed, and the way back. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { RevisionDiffView, RevisionList, RevisionView } from '../../proto/api.ts';
import { TrafficPolicy } from '../../proto/policy/schema.ts';
import type { PolicyHistory } from '../service/policy-history.ts';
import { sendRefusal } from './problem.ts';
import {
  Label,
  Named,
  Nothing,
  PageQuery,
  pageOf,
  sendVersioned,
  strict,
  WriteQuery,
  writeOptions,
} from './request-parts.ts';

const revisionNumber = Type.Integer({ minimum: 1, maximum: 2 ** 53 - 1 });
const OneRevision = Type.Object({ namespace: Label, name: Label, revision: revisionNumber }, strict);
type OneRevision = Static<typeof OneRevision>;
const DiffQuery = Type.Object({ from: revisionNumber, to: revisionNumber }, strict);
type DiffQuery = Static<typeof DiffQuery>;
const RollbackQuery = Type.Object({ to: revisionNumber, ...WriteQuery.properties }, strict);
type RollbackQuery = Static<typeof RollbackQuery>;

export interface HistoryRoutesOptions {
  readonly history: PolicyHistory;
  readonly by: (request: FastifyRequest) => string;
}

const policy = '/v1/namespaces/:namespace/policies/:name';
/** Pages go by name, and the newest revision comes first. */
const orderOf = ({ revision }: { revision: number }): string => String(2 ** 53 - revision).padStart(16, '0');

export function historyRoutes(app: FastifyInstance, { history, by }: HistoryRoutesOptions): void {
  app.get<{ Params: Named; Querystring: PageQuery }>(
    `${policy}/revisions`,
    {
      schema: {
        summary: 'History of a policy, newest first',
        params: Named,
        querystring: PageQuery,
        response: { 200: RevisionList },
      },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const outcome = await history.revisions(namespace, name);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      return reply.send(pageOf(outcome.revisions, orderOf, request.query));
    },
  );

  app.get<{ Params: OneRevision }>(
    `${policy}/revisions/:revision`,
    {
      schema: {
        summary: 'One revision, which never changes',
        params: OneRevision,
        querystring: Nothing,
        response: { 200: RevisionView },
      },
    },
    async (request, reply) => {
      const { namespace, name, revision } = request.params;
      const outcome = await history.revision(namespace, name, revision);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      return sendVersioned(request, reply, String(revision), outcome.revision);
    },
  );

  app.get<{ Params: Named; Querystring: DiffQuery }>(
    `${policy}/diff`,
    {
      schema: {
        summary: 'What differs between two revisions',
        params: Named,
        querystring: DiffQuery,
        response: { 200: RevisionDiffView },
      },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const outcome = await history.diff(namespace, name, request.query.from, request.query.to);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      const { kind: _, ...diff } = outcome;
      return reply.send(diff);
    },
  );

  app.post<{ Params: Named; Querystring: RollbackQuery }>(
    `${policy}/rollback`,
    {
      schema: {
        summary: 'Write what an older revision said as a new one; needs If-Match',
        params: Named,
        querystring: RollbackQuery,
        response: { 200: TrafficPolicy },
      },
    },
    async (request, reply) => {
      const { namespace, name } = request.params;
      const options = writeOptions(by(request), namespace, request.query);
      const outcome = await history.rollback(name, request.query.to, request.headers['if-match'], options);
      if (outcome.kind !== 'ok') return sendRefusal(reply, outcome);
      const written = outcome.policy;
      return options.dryRun
        ? reply.send(written)
        : sendVersioned(request, reply, written.metadata.resourceVersion ?? '', written);
    },
  );
}
