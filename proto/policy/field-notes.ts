/**
 * What the documentation of a policy says about its fields beside their schema: an example, what its absence means, and
 * whether data can be lost. It stands apart, so that the schema reads as rules; tests keep both in step. A field is named
 * by its path below `spec`; the sections of a route are those of the service.
 */
import { isRecord, member } from './problems.ts';

const dropsMessages =
  'Messages that a slow reader has no room for are dropped, and neither end is told: only for streams that say the same again.';

/** "Can it lose data?", where the honest answer is not simply no. Of a section it holds for everything in it. */
const losses: Readonly<Record<string, string>> = {
  'inbound.rateLimits':
    'Requests above a limit are refused, and nothing is kept of them; the caller is told when to return.',
  'inbound.concurrency':
    'Requests that find neither a permit nor a place in the queue are refused, and nothing is kept of them.',
  'inbound.queue':
    'Requests that wait too long or do not fit are refused unprocessed. The queue is memory: a crash loses it.',
  'inbound.deadline':
    'A request past its deadline is cancelled, also in the middle of an answer; what its service did meanwhile stands.',
  'inbound.flowControl.stallTimeout': 'The stream is ended, with all that its reader has not taken yet.',
  'inbound.flowControl.requestOverflow': dropsMessages,
  'inbound.flowControl.responseOverflow': dropsMessages,
  'inbound.priorities.rules[].essential':
    'false: refused as long as the service is overloaded; see levels.nonEssential.',
  'inbound.levels':
    'Requests below the level are refused (shed), by the sidecars of callers too (upstream_level); nothing is kept of them.',
  'inbound.levels.nonEssential':
    'Requests that can be done without are refused (degraded), and nothing is kept of them.',
  'routes[].essential': 'false: refused as long as the service is overloaded; see levels.nonEssential.',
  'outbound.timeout': 'The caller gets no answer although the service may have done what was asked.',
  'outbound.perTryTimeout': 'An attempt is given up although its service may have done what was asked.',
  'outbound.connectTimeout': 'The request is refused, and was never sent.',
  'outbound.throttle': 'Requests are refused at the caller (client_throttle) and never sent; nothing is kept of them.',
  'outbound.retries': 'Nothing is lost, but a call may be carried out more than once; see nonIdempotent.',
  'outbound.retries.nonIdempotent': 'Calls may be carried out more than once: only where that is harmless.',
  'outbound.hedging': 'Nothing is lost, but calls are carried out more than once by design.',
  'outbound.circuitBreaker':
    'While it is open, calls are refused at the caller and never sent; nothing is kept of them.',
  'outbound.fallback':
    'What a call should have done is not done, though it looks answered: give no fixed answer to calls that change data.',
  'outbound.parking':
    'A request whose caller got the reference is on disk, and delivered at least once or kept as a dead letter, but for ' +
    'the bounds in age of the two streams. One that is not stored is refused, and nothing is kept of it.',
  'outbound.parking.headers': 'Headers that are not named are not delivered.',
  'outbound.fallback.service':
    'A call that failed after it was sent is sent again, elsewhere: it may be carried out by both.',
};

/** What it means to leave a field out that has no default. */
const absences: Readonly<Record<string, string>> = {
  'target.namespace': "the policy's",
  'inbound.deadline.default': 'no deadline',
  'inbound.deadline.max': 'no bound',
  'inbound.deadline.header': 'none is read',
  'inbound.flowControl.stallTimeout': 'never',
  'inbound.flowControl.requestPace.bytesPerSecond': 'as fast as it is read',
  'inbound.flowControl.responsePace.bytesPerSecond': 'as fast as it is read',
  'inbound.flowControl.requestPace.messages': 'as fast as they are read',
  'inbound.flowControl.responsePace.messages': 'as fast as they are read',
  'outbound.timeout': 'no bound',
  'outbound.timeoutHeader': 'none is read',
  'outbound.perTryTimeout': 'no bound',
  'outbound.circuitBreaker.consecutiveFailures': 'no condition',
  'outbound.circuitBreaker.failureRatio.windowRequests': 'window counts',
  'outbound.circuitBreaker.slowCalls.windowRequests': 'window counts',
  'outbound.outlierDetection.consecutiveFailures': 'no condition',
  'outbound.fallback.service': 'none is asked',
  'outbound.fallback.static.http.body': 'no body',
  'outbound.fallback.static.grpc.statusMessage': 'no message',
  'outbound.parking.answer.grpc.statusMessage': 'no message',
};

/** Where neither a default nor the first allowed word is a good one. */
const examples: Readonly<Record<string, unknown>> = {
  'target.service': 'payments',
  'target.namespace': 'shop',
  'inbound.rateLimits[].name': 'per-client',
  'inbound.concurrency.fixed.limit': 64,
  'inbound.deadline.default': '1s',
  'inbound.deadline.max': '30s',
  'inbound.flowControl.windowMax': '256KiB',
  'inbound.flowControl.stallTimeout': '30s',
  'inbound.flowControl.requestPace.bytesPerSecond': '1MiB',
  'inbound.flowControl.requestPace.messages': '100/s',
  'inbound.flowControl.responsePace.bytesPerSecond': '1MiB',
  'inbound.flowControl.responsePace.messages': '100/s',
  'outbound.timeout': '500ms',
  'outbound.perTryTimeout': '200ms',
  'outbound.circuitBreaker.consecutiveFailures': 5,
  'outbound.circuitBreaker.failureRatio.windowRequests': 100,
  'outbound.circuitBreaker.slowCalls.slowerThan': '300ms',
  'outbound.circuitBreaker.slowCalls.windowRequests': 100,
  'outbound.hedging.after': '50ms',
  'outbound.healthCheck.probe.grpc.service': 'shop.v1.Payments',
  'outbound.healthCheck.probe.http.path': '/healthz',
  'outbound.healthCheck.probe.http.expectedStatuses[]': 200,
  'outbound.retries.retryOn.httpStatuses[]': 503,
  'outbound.parking.headers[]': 'x-tenant',
  'outbound.parking.answer.http.location': '/requests/{reference}',
  'routes[].name': 'search',
  'routes[].match.path.exact': '/v1/search',
  'routes[].match.path.prefix': '/v1',
  'routes[].match.method': 'GET',
  'routes[].match.headers[].name': 'x-batch',
  'routes[].match.headers[].exact': 'nightly',
  'routes[].match.grpc.service': 'shop.v1.Orders',
  'routes[].match.grpc.method': 'List',
};

/** A name, a field name, a path, a service, a method, a status, some base64: for fields without an example of their own. */
const usualTexts: readonly string[] = [
  'gold',
  'x-client-id',
  '/v1',
  'shop/payments',
  'GET',
  'List',
  'UNAVAILABLE',
  '503',
  '5xx',
  'aGVsbG8=',
];

/** The path of a field, of a route's sections as those of the service. */
export function notePath(path: string): string {
  return path.replace(/^routes\[\]\.(?=(inbound|outbound)\b)/, '');
}

/** Flow control is alike on both sides. */
function noted<T>(notes: Readonly<Record<string, T>>, path: string): T | undefined {
  return notes[notePath(path).replace(/^outbound\.(?=flowControl\b)/, 'inbound.')];
}

export function absenceOf(path: string): string | undefined {
  return noted(absences, path);
}

export function lossOf(path: string): string | undefined {
  return noted(losses, path);
}

/** Paths of every note, for the test that they are about something. */
export const notedPaths: readonly string[] = [
  ...Object.keys(losses),
  ...Object.keys(absences),
  ...Object.keys(examples),
];

/** undefined: an object or a list, whose parts have examples of their own. */
export function exampleOf(path: string, schema: unknown): unknown {
  const given = member(schema, 'examples');
  if (Array.isArray(given)) return given[0];
  const example = noted(examples, path);
  if (example !== undefined) return example;
  const fallback = member(schema, 'default');
  if (typeof fallback === 'boolean') return !fallback;
  if (fallback !== undefined) return fallback;
  const words = member(schema, 'enum');
  if (Array.isArray(words)) return words[0];
  if (isMarker(schema)) return {};
  return member(schema, 'x-weir-minimum') ?? member(schema, 'minimum') ?? textThatFits(schema);
}

/** The first of some usual texts that the pattern takes. */
function textThatFits(schema: unknown): string | undefined {
  const pattern = member(schema, 'pattern');
  if (member(schema, 'type') !== 'string') return undefined;
  return usualTexts.find((text) => typeof pattern !== 'string' || new RegExp(pattern).test(text));
}

/** An object without fields: that it is there is all it says. */
export function isMarker(schema: unknown): boolean {
  const properties = member(schema, 'properties');
  return member(schema, 'type') === 'object' && isRecord(properties) && Object.keys(properties).length === 0;
}
