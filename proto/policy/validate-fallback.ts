/** Fallbacks that answer nothing, or with fields that are not theirs to set. */
import { parseSize } from '../kernel/size.ts';
import { errorsMax, type Finding, member, show } from './problems.ts';

/** Framing, and what belongs to one connection (RFC 9113 §8.2.2); gRPC's own; ours. */
const reserved =
  /^(connection|content-length|grpc-.*|host|keep-alive|proxy-connection|set-cookie|te|trailer|transfer-encoding|upgrade|weir-.*)$/i;

export function validateFallback(outbound: unknown, base: string): Finding[] {
  const fallback = member(outbound, 'fallback');
  if (fallback === undefined) return [];
  const pointer = `${base}/fallback`;
  return [
    ...answersNothing(fallback, pointer),
    ...onlyAtBreakers(outbound, pointer),
    ...keepsNothing(member(fallback, 'stale'), `${pointer}/stale`),
    ...bodyWithoutPlace(member(member(fallback, 'static'), 'http'), `${pointer}/static/http`),
    ...reservedFields(member(member(member(fallback, 'static'), 'http'), 'headers'), `${pointer}/static/http/headers`),
    ...reservedFields(
      member(member(member(fallback, 'static'), 'grpc'), 'trailers'),
      `${pointer}/static/grpc/trailers`,
    ),
    ...messageOfFailure(member(member(fallback, 'static'), 'grpc'), `${pointer}/static/grpc`),
  ];
}

function answersNothing(fallback: unknown, pointer: string): Finding[] {
  if (['service', 'stale', 'static'].some((kind) => member(fallback, kind) !== undefined)) return [];
  const message = 'a fallback names what answers: service, stale or static';
  return [{ pointer, message, hint: 'such as static: { http: { status: 503 } }', atKey: true }];
}

/** A service cannot stand in for itself. `service`: its name; `pointer`: where the fallback stands. */
export function fallbackToItself(outbound: unknown, target: string, base: string): Finding[] {
  const service = member(member(outbound, 'fallback'), 'service');
  if (typeof service !== 'string' || service !== target) return [];
  const message = `${show(service)} is the service itself, which cannot answer in its own place`;
  return [{ pointer: `${base}/fallback/service`, message, hint: 'name another service' }];
}

function onlyAtBreakers(outbound: unknown, pointer: string): Finding[] {
  const conditions = member(member(outbound, 'fallback'), 'on');
  if (!Array.isArray(conditions) || conditions.length === 0 || member(outbound, 'circuitBreaker') !== undefined)
    return [];
  if (conditions.some((condition) => condition !== 'breakerOpen')) return [];
  const message = 'only while the breaker is open, and there is no circuitBreaker';
  return [{ pointer: `${pointer}/on`, message, hint: 'add circuitBreaker: {}, or another condition', atKey: true }];
}

function keepsNothing(stale: unknown, pointer: string): Finding[] {
  const [one, all] = [member(stale, 'answerBytesMax'), member(stale, 'bytesMax')];
  if (typeof one !== 'string' || typeof all !== 'string' || one.length > 64 || all.length > 64) return [];
  const [oneBytes, allBytes] = [parseSize(one), parseSize(all)];
  if (oneBytes === undefined || allBytes === undefined || oneBytes <= allBytes) return [];
  const message = `answerBytesMax ${show(one)} is more than bytesMax ${show(all)}: all others would go for one answer`;
  return [{ pointer: `${pointer}/answerBytesMax`, message }];
}

function bodyWithoutPlace(http: unknown, pointer: string): Finding[] {
  const status = member(http, 'status');
  if (member(http, 'body') === undefined || (status !== 204 && status !== 205 && status !== 304)) return [];
  return [{ pointer: `${pointer}/body`, message: `an answer with status ${status} has no body`, atKey: true }];
}

export function reservedFields(fields: unknown, pointer: string): Finding[] {
  if (!Array.isArray(fields)) return [];
  return fields.slice(0, errorsMax).flatMap((field, index) => {
    const name = member(field, 'name');
    if (typeof name !== 'string' || !reserved.test(name)) return [];
    return [{ pointer: `${pointer}/${index}/name`, message: `${show(name)} is not for a fallback to set` }];
  });
}

export function messageOfFailure(grpc: unknown, pointer: string): Finding[] {
  const status = member(grpc, 'status');
  if (member(grpc, 'message') === undefined || typeof status !== 'number' || status === 0) return [];
  return [{ pointer: `${pointer}/message`, message: 'a call that failed has no response message', atKey: true }];
}
