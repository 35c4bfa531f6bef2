/** Combinations of policy fields that cannot work, section by section: what is written, where it is refused, and why. */
export type Row = readonly [why: string, spec: Readonly<Record<string, unknown>>, pointer: string, reason: RegExp];

const inbound = (why: string, fields: object, pointer: string, reason: RegExp): Row => [
  why,
  { inbound: fields },
  `/spec/inbound/${pointer}`,
  reason,
];
const outbound = (why: string, fields: object, pointer: string, reason: RegExp): Row => [
  why,
  { outbound: fields },
  `/spec/outbound/${pointer}`,
  reason,
];
const route = (why: string, fields: object, pointer: string, reason: RegExp, spec: object = {}): Row => [
  why,
  { ...spec, routes: [{ name: 'a', match: { path: { exact: '/a' } }, ...fields }] },
  `/spec/routes/0/${pointer}`,
  reason,
];

export const concurrency = { fixed: { limit: 1 } };
const limit = (fields: object) => ({ rateLimits: [{ name: 'a', rate: '1/s', ...fields }] });
const leaky = (waitMax: string) => limit({ algorithm: { leakyBucket: { waitMax } } });
const off = { connectFailure: false, refused: false, reset: false, grpcStatuses: [], httpStatuses: [] };
const grpcRoute = { match: { grpc: { service: 'a.B', method: 'Get' } } };

export const rows: readonly Row[] = [
  // rateLimits
  inbound('keysMax without key', limit({ keysMax: 5 }), 'rateLimits/0/keysMax', /there is no key/),
  inbound(
    'burst of a leaky bucket',
    limit({ burst: 5, algorithm: { leakyBucket: {} } }),
    'rateLimits/0/burst',
    /has no burst/,
  ),
  inbound('burst of a window', limit({ burst: 5, algorithm: { fixedWindow: {} } }), 'rateLimits/0/burst', /no burst/),
  inbound(
    'a window of half a request',
    limit({ algorithm: { slidingWindow: { window: '500ms' } } }),
    'rateLimits/0/rate',
    /whole requests/,
  ),
  inbound(
    'a cost above burst',
    limit({ burst: 5, cost: { constant: 6 } }),
    'rateLimits/0/cost/constant',
    /never be admitted/,
  ),
  inbound(
    'a wait beyond every deadline',
    { ...leaky('30s'), deadline: { max: '10s' } },
    'rateLimits/0/algorithm/leakyBucket/waitMax',
    /longer than deadline.max "10s"/,
  ),
  // concurrency, queue
  inbound('min above max', { concurrency: { vegasBdp: { min: 9, max: 5 } } }, 'concurrency/vegasBdp/min', /above/),
  inbound(
    'an answer slower than every deadline',
    { concurrency: { aimd: { timeout: '20s' } }, deadline: { max: '10s' } },
    'concurrency/aimd/timeout',
    /no answer takes so long/,
  ),
  inbound('a queue without a limit', { queue: {} }, 'queue', /needs a concurrency limit/),
  inbound(
    'settings of no queue',
    { concurrency, queue: { discipline: 'none', waitMax: '1s' } },
    'queue/waitMax',
    /lets nobody wait/,
  ),
  inbound(
    'a queue longer than every deadline',
    { concurrency, queue: { waitMax: '30s' }, deadline: { max: '10s' } },
    'queue/waitMax',
    /no request has so long/,
  ),
  inbound(
    'CoDel beyond the longest wait',
    { concurrency, queue: { waitMax: '100ms', codel: { target: '200ms' } } },
    'queue/codel/target',
    /nobody waits so long/,
  ),
  inbound(
    'settings of CoDel that is off',
    { concurrency, queue: { codel: { enabled: false, target: '9ms' } } },
    'queue/codel/target',
    /switched off/,
  ),
  inbound(
    'weights of tenants that are not told apart',
    { concurrency, queue: { tenantFair: { enabled: false, weights: [{ name: 'a', weight: 2 }] } } },
    'queue/tenantFair/weights',
    /switched off/,
  ),
  inbound(
    'the lowest of priorities that are all alike',
    { concurrency, queue: { priority: false, tenantFair: { enabled: false }, whenFull: 'lowestPriority' } },
    'queue/whenFull',
    /everybody matters alike/,
  ),
  // signals, priorities, levels
  inbound('fields about no limit', { signals: { rateLimitFields: true } }, 'signals/rateLimitFields', /no rate limit/),
  inbound('a tier that nobody knows', { priorities: { default: 'urgent' } }, 'priorities/default', /critical, high/),
  inbound(
    'a rule about everything',
    { priorities: { rules: [{ tier: 'low', essential: true }] } },
    'priorities/rules/0',
    /every request/,
  ),
  inbound(
    'a rule behind one that takes all',
    {
      priorities: {
        rules: [
          { tier: 'low', match: { path: { prefix: '/' } } },
          { tier: 'high', match: { method: 'GET' } },
        ],
      },
    },
    'priorities/rules/1/match',
    /takes them all before/,
  ),
  inbound(
    'what is not essential, without levels',
    { priorities: { rules: [{ tier: 'low', match: { method: 'GET' }, essential: false }] } },
    'priorities/rules/0/essential',
    /no levels/,
  ),
  inbound('levels without a limit', { levels: {} }, 'levels', /concurrency limit/),
  inbound(
    'queueing beyond the longest wait',
    { concurrency, queue: { waitMax: '10ms' }, levels: {} },
    'levels',
    /queueingMax "20ms" is longer than queue.waitMax "10ms"/,
  ),
  inbound(
    'a time to switch off what is not there',
    { concurrency, levels: { nonEssential: { restoreAfter: '1s' } } },
    'levels/nonEssential',
    /nothing is non-essential/,
  ),
  // deadline, flowControl
  inbound(
    'a default above the bound',
    { deadline: { default: '2s', max: '1s' } },
    'deadline/default',
    /longer than max/,
  ),
  inbound(
    'a deadline in a field that is taken',
    { deadline: { header: 'Content-Length' } },
    'deadline/header',
    /overwritten/,
  ),
  inbound(
    'a stall longer than every stream',
    { flowControl: { stallTimeout: '1m' }, deadline: { max: '30s' } },
    'flowControl/stallTimeout',
    /over before/,
  ),
  // timeouts of callers
  outbound(
    'an attempt longer than the request',
    { timeout: '1s', perTryTimeout: '2s' },
    'perTryTimeout',
    /longer than timeout/,
  ),
  outbound(
    'a connection longer than the request',
    { timeout: '1s', connectTimeout: '2s' },
    'connectTimeout',
    /over before/,
  ),
  outbound(
    'a connection longer than the attempt',
    { perTryTimeout: '500ms', connectTimeout: '2s' },
    'connectTimeout',
    /attempt is over before/,
  ),
  outbound('time in a field that is taken', { timeoutHeader: 'grpc-timeout' }, 'timeoutHeader', /meaning of its own/),
  outbound(
    'a stall longer than the request',
    { timeout: '10s', flowControl: { stallTimeout: '1m' } },
    'flowControl/stallTimeout',
    /over before/,
  ),
  // circuitBreaker, classification
  outbound(
    'more requests than the window holds',
    { circuitBreaker: { failureRatio: { windowRequests: 10, minRequests: 11 } } },
    'circuitBreaker/failureRatio/minRequests',
    /ever holds/,
  ),
  outbound(
    'two windows',
    { circuitBreaker: { slowCalls: { window: '1s', windowRequests: 10 } } },
    'circuitBreaker/slowCalls/windowRequests',
    /two ways/,
  ),
  outbound(
    'slower than the request',
    { timeout: '1s', circuitBreaker: { slowCalls: { slowerThan: '2s' } } },
    'circuitBreaker/slowCalls/slowerThan',
    /nothing is ever slow/,
  ),
  outbound(
    'slower than the attempt',
    { perTryTimeout: '1s', circuitBreaker: { slowCalls: { slowerThan: '2s' } } },
    'circuitBreaker/slowCalls/slowerThan',
    /nothing is ever slow/,
  ),
  outbound(
    'open longer than the longest',
    { circuitBreaker: { openFor: '9s', openForMax: '1s' } },
    'circuitBreaker/openFor',
    /longer/,
  ),
  outbound(
    'a fleet of endpoints',
    { circuitBreaker: { scope: 'perEndpoint', fleet: { enabled: true } } },
    'circuitBreaker/fleet/enabled',
    /about the service/,
  ),
  outbound(
    'a status that is two things',
    { classification: { failures: ['503'], ignored: ['503'] } },
    'classification/ignored/0',
    /stands in failures/,
  ),
  // healthCheck, outlierDetection
  outbound(
    'a check longer than its interval',
    { healthCheck: { probe: { grpc: {} }, interval: '1s', timeout: '2s' } },
    'healthCheck/timeout',
    /longer than interval/,
  ),
  outbound(
    'ejected longer than the longest',
    { outlierDetection: { baseEjectionTime: '9m', maxEjectionTime: '1m' } },
    'outlierDetection/baseEjectionTime',
    /longer/,
  ),
  // retries, hedging
  outbound(
    'a backoff above its bound',
    { retries: { backoff: { base: '9s', max: '1s' } } },
    'retries/backoff/base',
    /longer than max/,
  ),
  outbound(
    'a backoff longer than the request',
    { timeout: '1s', retries: { backoff: { base: '2s', max: '9s' } } },
    'retries/backoff/base',
    /before its retry/,
  ),
  outbound(
    'retries of nothing',
    { retries: { retryOn: { ...off, tryTimeout: false } } },
    'retries/retryOn',
    /no failure/,
  ),
  outbound('retries of tries that never time out', { retries: { retryOn: off } }, 'retries/retryOn', /no failure/),
  outbound('a hedge after the end', { timeout: '1s', hedging: { after: '1s' } }, 'hedging/after', /never a hedge/),
  outbound(
    'a hedge after the attempt',
    { perTryTimeout: '500ms', hedging: { after: '600ms' } },
    'hedging/after',
    /over before its hedge/,
  ),
  // fallback, throttle
  outbound('a fallback to nothing', { fallback: {} }, 'fallback', /names what answers/),
  outbound(
    'a fallback to itself',
    { fallback: { service: 'default/payments' } },
    'fallback/service',
    /the service itself/,
  ),
  outbound(
    'a fallback at a breaker that is not there',
    { fallback: { on: ['breakerOpen'], stale: {} } },
    'fallback/on',
    /no circuitBreaker/,
  ),
  outbound(
    'an answer larger than all of them',
    { fallback: { stale: { bytesMax: '4KiB', answerBytesMax: '8KiB' } } },
    'fallback/stale/answerBytesMax',
    /more than bytesMax/,
  ),
  outbound(
    'a message of a call that failed',
    { fallback: { static: { grpc: { status: 14, message: '' } } } },
    'fallback/static/grpc/message',
    /no response message/,
  ),
  outbound(
    'settings of a throttle that is off',
    { throttle: { enabled: false, window: '5s' } },
    'throttle/window',
    /switched off/,
  ),
  // routes
  route('levels of a route', { inbound: { concurrency, levels: {} } }, 'inbound/levels', /service's/),
  route(
    'a breaker of endpoints',
    { outbound: { circuitBreaker: { scope: 'perEndpoint' } } },
    'outbound/circuitBreaker/scope',
    /one breaker of its own/,
  ),
  route('a route to do without, and no levels', { essential: false }, 'essential', /no levels/),
  route(
    "a wait beyond the service's deadline",
    { inbound: leaky('30s') },
    'inbound/rateLimits/0/algorithm/leakyBucket/waitMax',
    /longer than deadline.max/,
    { inbound: { deadline: { max: '10s' } } },
  ),
  route(
    "a hedge after the service's timeout",
    { outbound: { hedging: { after: '2s' } } },
    'outbound/hedging/after',
    /never a hedge/,
    { outbound: { timeout: '1s' } },
  ),
  route('itself', { outbound: { fallback: { service: 'default/payments' } } }, 'outbound/fallback/service', /itself/),
  route(
    'last answers to what is never kept',
    { match: { method: 'PUT' }, outbound: { fallback: { stale: {} } } },
    'outbound/fallback/stale',
    /never kept/,
  ),
  route(
    'last answers to calls that nobody named',
    { ...grpcRoute, outbound: { fallback: { stale: { grpcMethods: [{ service: 'a.B', method: 'List' }] } } } },
    'outbound/fallback/stale',
    /names none/,
  ),
  route(
    'pages for calls of gRPC',
    { ...grpcRoute, outbound: { fallback: { static: { http: {} } } } },
    'outbound/fallback/static/http',
    /never answers/,
  ),
  route(
    'a call of gRPC by GET',
    { match: { method: 'GET' }, outbound: { fallback: { static: { grpc: {} } } } },
    'outbound/fallback/static/grpc',
    /never "GET"/,
  ),
  [
    'a route behind its double',
    { routes: ['a', 'b'].map((name) => ({ name, match: { path: { prefix: '/v1' }, method: 'GET' } })) },
    '/spec/routes/1/match',
    /takes them all before/,
  ],
];
