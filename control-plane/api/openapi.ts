/** OpenAPI 3.1 from the routes themselves: what fastify checks requests by is what is described. */
import type { RouteOptions } from 'fastify';
import { ProblemView } from '../../proto/api.ts';
import type { Principal, Role } from '../policy/roles.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A body that is described here but checked by its own parser, which finds every error with its place. */
    describedBody?: object;
    /** open: no credential is asked for. */
    access?: 'open';
    /** What the asker must be at least; default: viewer to read, editor to write. */
    role?: Role;
  }
  interface FastifyRequest {
    /** Who asks; null where no credential is asked for. */
    principal: Principal | null;
  }
  interface FastifySchema {
    summary?: string;
    hide?: boolean;
  }
}

interface Route {
  readonly method: string;
  readonly url: string;
  readonly schema: NonNullable<RouteOptions['schema']>;
  readonly body: unknown;
  readonly access: 'open' | Role;
}

export class OpenApi {
  private readonly routes: Route[] = [];

  add({ method, url, schema, config }: RouteOptions): void {
    if (!schema || schema.hide) return;
    for (const one of Array.isArray(method) ? method : [method]) {
      if (one === 'HEAD') continue;
      const body = config?.describedBody ?? schema.body;
      const access = config?.access ?? roleFor(one, config?.role);
      this.routes.push({ method: one.toLowerCase(), url, schema, body, access });
    }
  }

  document(version: string): Record<string, unknown> {
    const paths: Record<string, Record<string, unknown>> = {};
    for (const { method, url, schema, body, access } of this.routes) {
      const path = url.replace(/:([A-Za-z]+)/g, '{$1}');
      paths[path] ??= {};
      paths[path][method] = {
        operationId: operationIdOf(method, url),
        summary: schema.summary,
        ...(access === 'open' ? { security: [] } : { 'x-weir-role': access }),
        ...(body ? { requestBody: requestBody(body) } : {}),
        parameters: [
          ...parameters(schema.params, 'path'),
          ...parameters(schema.querystring, 'query'),
          ...parameters(schema.headers, 'header'),
        ],
        responses: { ...responses(schema.response), default: problemResponse },
      };
    }
    return {
      openapi: '3.1.0',
      info: {
        title: 'Weir control plane',
        version,
        description:
          'Policies of a service mesh for backpressure. Writes need If-Match where something is there already; x-weir-role is what the asker must be at least.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
      paths,
    };
  }
}

/** What an asker must be at least: a viewer to read, an editor to write, unless the route says otherwise. */
export function roleFor(method: string, role: Role | undefined): Role {
  return role ?? (method === 'GET' || method === 'HEAD' ? 'viewer' : 'editor');
}

/** `postNamespacesPoliciesRollout`: the method and the fixed parts of the path; `getPoliciesByName` for one of many. */
function operationIdOf(method: string, url: string): string {
  const words = url.split('/').filter((part) => part !== '' && part !== 'v1');
  return method + words.map((word) => (word.startsWith(':') ? `By${capital(word.slice(1))}` : capital(word))).join('');
}

const capital = (word: string): string => word.replace(/(?:^|[-.])([a-z])/g, (_, first: string) => first.toUpperCase());

const problemResponse = {
  description: 'A problem (RFC 9457)',
  content: { 'application/problem+json': { schema: ProblemView } },
};

function requestBody(schema: unknown): unknown {
  return {
    required: true,
    content: { 'application/json': { schema }, 'application/yaml': { schema: { type: 'string' } } },
  };
}

function parameters(schema: unknown, place: string): unknown[] {
  const properties = property(schema, 'properties');
  if (typeof properties !== 'object' || properties === null) return [];
  const required = property(schema, 'required');
  return Object.entries(properties).map(([name, type]) => ({
    name,
    in: place,
    required: Array.isArray(required) && required.includes(name),
    schema: type,
  }));
}

function responses(byStatus: unknown): Record<string, unknown> {
  if (typeof byStatus !== 'object' || byStatus === null) return { 200: { description: 'OK' } };
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, schema]) => [
      status,
      status === '204' ? { description: 'Done' } : { description: 'OK', content: { 'application/json': { schema } } },
    ]),
  );
}

const property = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
