/**
 * Every refusal of the API, in one form (RFC 9457) and from one table. A problem lists everything that is wrong at
 * once, with pointers into what was sent.
 */
import type { FastifyError, FastifyReply } from 'fastify';
import type { ProblemView } from '../../proto/api.ts';
import { grpcCodeNames } from '../../proto/grpc-codes.ts';
import type { Refusal } from '../service/outcomes.ts';

interface Kind {
  readonly title: string;
  readonly status: number;
  /** The same over gRPC. */
  readonly grpc: (typeof grpcCodeNames)[number];
}

const kind = (title: string, status: number, grpc: Kind['grpc']): Kind => ({ title, status, grpc });

/** By problem type, which is the last part of its URN and never changes its meaning. */
const kinds = {
  'invalid-request': kind('The request is not valid', 400, 'INVALID_ARGUMENT'),
  unauthenticated: kind('A valid token is needed', 401, 'UNAUTHENTICATED'),
  forbidden: kind('This is not allowed', 403, 'PERMISSION_DENIED'),
  'not-found': kind('There is no such thing', 404, 'NOT_FOUND'),
  'not-allowed': kind('Not with this method', 405, 'UNIMPLEMENTED'),
  conflict: kind('It exists already', 409, 'ALREADY_EXISTS'),
  inapplicable: kind('Not in this state of things', 409, 'FAILED_PRECONDITION'),
  'precondition-failed': kind('It was changed since you read it', 412, 'ABORTED'),
  'too-large': kind('The request is too large', 413, 'RESOURCE_EXHAUSTED'),
  'unsupported-media-type': kind('Send application/json or application/yaml', 415, 'INVALID_ARGUMENT'),
  'invalid-policy': kind('The policy is not valid', 422, 'INVALID_ARGUMENT'),
  'precondition-required': kind('If-Match is required', 428, 'FAILED_PRECONDITION'),
  internal: kind('Something went wrong here', 500, 'INTERNAL'),
  unavailable: kind('Not possible at the moment', 503, 'UNAVAILABLE'),
  full: kind('A bound is reached', 507, 'RESOURCE_EXHAUSTED'),
} as const;
export type ProblemType = keyof typeof kinds;

export function grpcCodeOf(type: ProblemType): number {
  return grpcCodeNames.indexOf(kinds[type].grpc);
}

type Details = Pick<ProblemView, 'detail' | 'errors' | 'current'>;

export function problem(type: ProblemType, details: Details = {}): ProblemView {
  return { type: `urn:weir:problem:${type}`, title: kinds[type].title, status: kinds[type].status, ...details };
}

export function sendProblem(reply: FastifyReply, type: ProblemType, details: Details = {}): FastifyReply {
  const body = problem(type, details);
  if (type === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="weir"');
  if (type === 'unavailable') reply.header('retry-after', '1');
  return reply.code(body.status).type('application/problem+json').header('cache-control', 'no-store').send(body);
}

export function sendRefusal(reply: FastifyReply, refusal: Refusal): FastifyReply {
  const { type, details } = problemOf(refusal);
  return sendProblem(reply, type, details);
}

/** What a use case refused. */
export function problemOf(refusal: Refusal): { readonly type: ProblemType; readonly details: Details } {
  switch (refusal.kind) {
    case 'invalid':
      return { type: 'invalid-policy', details: { errors: [...refusal.errors] } };
    case 'exists':
      return { type: 'conflict', details: { current: refusal.current } };
    case 'absent':
      return { type: 'not-found', details: { detail: refusal.detail } };
    case 'unconditional':
      return {
        type: 'precondition-required',
        details: { detail: 'send the ETag of the version you are changing in If-Match', current: refusal.current },
      };
    case 'stale':
      return { type: 'precondition-failed', details: refusal.current === null ? {} : { current: refusal.current } };
    case 'inapplicable':
      return { type: 'inapplicable', details: { detail: refusal.detail } };
    case 'full':
      return { type: 'full', details: { detail: refusal.detail } };
    case 'unavailable':
      return { type: 'unavailable', details: { detail: refusal.detail } };
  }
}

/** What fastify itself found wrong. Undefined: a bug of ours, whose message is not for strangers. */
export function requestProblem(error: FastifyError): { type: ProblemType; details: Details } | undefined {
  if (error.validation) {
    const place = error.validationContext === 'querystring' ? 'query' : (error.validationContext ?? 'request');
    const errors = error.validation.map(({ instancePath, message, params }) => {
      const extra = params.additionalProperty;
      const pointer = `/${place}${instancePath}${typeof extra === 'string' ? `/${extra}` : ''}`;
      return { pointer, message: typeof extra === 'string' ? 'is not known here' : (message ?? 'is not valid') };
    });
    return { type: 'invalid-request', details: { errors } };
  }
  const status = error.statusCode ?? 500;
  if (status === 413) return { type: 'too-large', details: { detail: error.message } };
  if (status === 415) return { type: 'unsupported-media-type', details: {} };
  if (status >= 400 && status < 500) {
    return { type: 'invalid-request', details: { errors: [{ pointer: '', message: error.message }] } };
  }
  return undefined;
}
