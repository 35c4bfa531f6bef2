/**
 * Every refusal of the API, in one form (RFC 9457) and from one table. A problem lists everything that is wrong at
 * once, with pointers into what was sent.
 */
import type { FastifyError, FastifyReply } from 'fastify';
import type { ProblemView } from '../../proto/api.ts';
import type { Refusal } from '../service/outcomes.ts';

/** Titles by problem type; the type is the last part of its URN and never changes its meaning. */
const titles = {
  'invalid-request': 'The request is not valid',
  'invalid-policy': 'The policy is not valid',
  unauthenticated: 'A valid token is needed',
  forbidden: 'This address or origin is not accepted',
  'not-found': 'There is no such thing',
  'not-allowed': 'Not with this method',
  conflict: 'It exists already',
  inapplicable: 'Not in this state of things',
  'precondition-failed': 'It was changed since you read it',
  'precondition-required': 'If-Match is required',
  'too-large': 'The request is too large',
  'unsupported-media-type': 'Send application/json or application/yaml',
  full: 'A bound is reached',
  unavailable: 'Not possible at the moment',
  internal: 'Something went wrong here',
} as const;
export type ProblemType = keyof typeof titles;

const statusOf: Readonly<Record<ProblemType, number>> = {
  'invalid-request': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'not-allowed': 405,
  conflict: 409,
  inapplicable: 409,
  'precondition-failed': 412,
  'too-large': 413,
  'unsupported-media-type': 415,
  'invalid-policy': 422,
  'precondition-required': 428,
  internal: 500,
  unavailable: 503,
  full: 507,
};

type Details = Pick<ProblemView, 'detail' | 'errors' | 'current'>;

export function problem(type: ProblemType, details: Details = {}): ProblemView {
  return { type: `urn:weir:problem:${type}`, title: titles[type], status: statusOf[type], ...details };
}

export function sendProblem(reply: FastifyReply, type: ProblemType, details: Details = {}): FastifyReply {
  const body = problem(type, details);
  if (type === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="weir"');
  if (type === 'unavailable') reply.header('retry-after', '1');
  return reply.code(body.status).type('application/problem+json').header('cache-control', 'no-store').send(body);
}

export function sendRefusal(reply: FastifyReply, refusal: Refusal): FastifyReply {
  switch (refusal.kind) {
    case 'invalid':
      return sendProblem(reply, 'invalid-policy', { errors: [...refusal.errors] });
    case 'exists':
      return sendProblem(reply, 'conflict', { current: refusal.current });
    case 'absent':
      return sendProblem(reply, 'not-found', { detail: refusal.detail });
    case 'unconditional':
      return sendProblem(reply, 'precondition-required', {
        detail: 'send the ETag of the version you are changing in If-Match',
        current: refusal.current,
      });
    case 'stale':
      return sendProblem(reply, 'precondition-failed', refusal.current === null ? {} : { current: refusal.current });
    case 'inapplicable':
      return sendProblem(reply, 'inapplicable', { detail: refusal.detail });
    case 'full':
      return sendProblem(reply, 'full', { detail: refusal.detail });
    case 'unavailable':
      return sendProblem(reply, 'unavailable', { detail: refusal.detail });
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
