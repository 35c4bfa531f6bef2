/**
 * Whether a request is one of a route's. Comparing costs what the conditions cost; route-table.ts sees to it that equal
 * requests are compared once.
 */
import type { RouteMatchSpec } from '../../proto/policy/schema-match.ts';

/** Of a request's head, what routes look at. */
export interface RequestHead {
  /** Unique: equal numbers mean the very same head. */
  readonly id: number;
  readonly method: string;
  readonly path: string;
  readonly isGrpc: boolean;
  readonly fields: readonly { readonly name: string; readonly value: string }[];
}

export interface HeaderMatch {
  /** In lower case. */
  readonly name: string;
  /** null = any. */
  readonly value: string | null;
}

/** Empty text = any. */
export interface RouteMatch {
  readonly isGrpc: boolean;
  readonly method: string;
  readonly pathExact: string;
  /** Without a slash at its end. */
  readonly pathPrefix: string;
  readonly headers: readonly HeaderMatch[];
}

export function routeMatch({ path, method, headers = [], grpc }: RouteMatchSpec): RouteMatch {
  const call = grpc === undefined ? '' : `/${grpc.service}`;
  const isMethod = grpc?.method !== undefined;
  return {
    isGrpc: grpc !== undefined,
    method: method ?? '',
    pathExact: isMethod ? `${call}/${grpc.method}` : (path?.exact ?? ''),
    pathPrefix: isMethod ? '' : call || (path?.prefix ?? '').replace(/\/+$/, ''),
    headers: headers.map(({ name, exact }) => ({ name: name.toLowerCase(), value: exact ?? null })),
  };
}

/** `path`: the head's without the query. */
export function matches(match: RouteMatch, head: RequestHead, path: string): boolean {
  if (match.isGrpc && !head.isGrpc) return false;
  if (match.method !== '' && match.method !== head.method) return false;
  if (match.pathExact !== '' && match.pathExact !== path) return false;
  if (match.pathPrefix !== '' && !hasPrefix(path, match.pathPrefix)) return false;
  for (let i = 0; i < match.headers.length; i++) {
    if (!hasHeader(head, match.headers[i]!)) return false;
  }
  return true;
}

/** Whole segments. */
function hasPrefix(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f);
}

function hasHeader({ fields }: RequestHead, { name, value }: HeaderMatch): boolean {
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    if (field.name === name && (value === null || field.value === value)) return true;
  }
  return false;
}

export function pathWithoutQuery(path: string): string {
  const query = path.indexOf('?');
  return query < 0 ? path : path.slice(0, query);
}
