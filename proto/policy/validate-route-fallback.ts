/** Fallbacks of a route that could never answer what the route is about. */
import { type Finding, member, show } from './problems.ts';

/** `outbound`: the route's; `match`: what the route is about. */
export function fallbackOfOther(outbound: unknown, match: unknown, pointer: string): Finding[] {
  const fallback = member(outbound, 'fallback');
  const at = `${pointer}/fallback`;
  return [
    ...staleOfOther(member(fallback, 'stale'), match, `${at}/stale`),
    ...staticOfOther(member(fallback, 'static'), match, `${at}/static`),
  ];
}

function staleOfOther(stale: unknown, match: unknown, pointer: string): Finding[] {
  if (stale === undefined) return [];
  const grpc = member(match, 'grpc');
  const method = member(match, 'method');
  if (grpc !== undefined) {
    if (keepsCallOf(member(stale, 'grpcMethods'), grpc)) return [];
    const message = 'answers to these calls are not kept: grpcMethods names none of them';
    return [{ pointer, message, hint: 'add those that may be called twice', atKey: true }];
  }
  if (typeof method !== 'string' || method === 'GET' || method === 'HEAD' || method === 'POST') return [];
  const message = `answers to ${method} are never kept`;
  return [{ pointer, message, hint: 'only GET, HEAD and named methods of gRPC are', atKey: true }];
}

function keepsCallOf(methods: unknown, grpc: unknown): boolean {
  const [service, method] = [member(grpc, 'service'), member(grpc, 'method')];
  if (!Array.isArray(methods)) return false;
  return methods.some(
    (one) => member(one, 'service') === service && (method === undefined || member(one, 'method') === method),
  );
}

function staticOfOther(fixed: unknown, match: unknown, pointer: string): Finding[] {
  const [http, grpc] = [member(fixed, 'http'), member(fixed, 'grpc')];
  const method = member(match, 'method');
  if (member(match, 'grpc') !== undefined && http !== undefined) {
    const message = 'the route is about calls of gRPC, which this never answers';
    return [{ pointer: `${pointer}/http`, message, hint: 'write grpc: { status: … }', atKey: true }];
  }
  if (typeof method !== 'string' || method === 'POST' || grpc === undefined) return [];
  const message = `a call of gRPC is never ${show(method)}`;
  return [{ pointer: `${pointer}/grpc`, message, hint: 'write http: { status: … }', atKey: true }];
}
