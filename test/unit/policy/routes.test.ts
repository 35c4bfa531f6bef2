/** Routes of a policy: which requests are theirs, what they have for themselves, and what outlives a new policy. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { queueWithDefaults } from '../../../proto/policy/defaults-queue.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import type { PolicySpec, RouteMatchSpec, RouteSpec } from '../../../proto/policy/schema.ts';
import { Reason } from '../../../proto/reasons.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { matches, pathWithoutQuery, routeMatch } from '../../../sidecar/policy/route-match.ts';
import { RouteTable } from '../../../sidecar/policy/route-table.ts';
import { LivePolicy, passThroughInbound } from '../../../sidecar/policy/swap.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';
import { TestWaiter } from '../admission/test-waiter.ts';
import { minimalPolicy } from './documents.ts';

const origin = (version: number) => ({ epoch: '0001763942400000', version, hash: `hash${version}` });
const head = (path: string, method = 'GET', fields: [string, string][] = []): HeaderList =>
  HeaderList.of([[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'payments'], ...fields]);
const call = (path: string): HeaderList => head(path, 'POST', [['content-type', 'application/grpc']]);

const specWith = (routes: RouteSpec[], rest: Partial<PolicySpec> = {}): PolicySpec => ({
  target: { service: 'payments' },
  ...rest,
  routes,
});

function live(spec: PolicySpec): LivePolicy {
  const policy = new LivePolicy('shop/payments');
  policy.apply(spec, origin(1), 0);
  return policy;
}

describe('a route matches', () => {
  const isMatch = (match: RouteMatchSpec, list: HeaderList): boolean =>
    matches(routeMatch(match), list, pathWithoutQuery(list.path));

  it.each<[string, RouteMatchSpec, HeaderList, boolean]>([
    ['an exact path', { path: { exact: '/a' } }, head('/a'), true],
    ['an exact path, whatever its query', { path: { exact: '/a' } }, head('/a?b=/c'), true],
    ['no longer path', { path: { exact: '/a' } }, head('/a/'), false],
    ['whole segments of a prefix', { path: { prefix: '/v1' } }, head('/v1/orders'), true],
    ['the prefix itself', { path: { prefix: '/v1/' } }, head('/v1?x'), true],
    ['no half segment', { path: { prefix: '/v1' } }, head('/v10'), false],
    ['everything under /', { path: { prefix: '/' } }, head('/x'), true],
    ['a method', { method: 'PUT' }, head('/', 'PUT'), true],
    ['no other method', { method: 'PUT' }, head('/', 'POST'), false],
    ['a header that is there', { headers: [{ name: 'X-A', present: {} }] }, head('/', 'GET', [['x-a', '']]), true],
    ['no header that is not', { headers: [{ name: 'x-a', present: {} }] }, head('/'), false],
    [
      'any of the values of a header',
      { headers: [{ name: 'x-a', exact: '2' }] },
      head('/', 'GET', [
        ['x-a', '1'],
        ['x-a', '2'],
      ]),
      true,
    ],
    ['a gRPC method', { grpc: { service: 'a.B', method: 'C' } }, call('/a.B/C'), true],
    ['no other gRPC method', { grpc: { service: 'a.B', method: 'C' } }, call('/a.B/CC'), false],
    ['every method of a gRPC service', { grpc: { service: 'a.B' } }, call('/a.B/D'), true],
    ['gRPC only where it is gRPC', { grpc: { service: 'a.B' } }, head('/a.B/D', 'POST'), false],
    ['only what matches everything', { method: 'GET', path: { exact: '/a' } }, head('/b'), false],
  ])('%s', (_, match, list, expected) => {
    expect(isMatch(match, list)).toBe(expected);
  });
});

describe('RouteTable', () => {
  it('finds the first that matches, however often lists share a slot', () => {
    const prefixes = ['/a/b', '/a', '/c'];
    const table = new RouteTable(
      prefixes.map((prefix) => ({ match: routeMatch({ path: { prefix } }), settings: prefix })),
      '',
    );
    const lists = Array.from({ length: 1000 }, (_, i) => head(['/a/b/x', '/a/x', '/c', '/d'][i % 4]!));
    fc.assert(
      fc.property(fc.array(fc.nat(lists.length - 1), { maxLength: 300 }), (order) => {
        for (const i of order) expect(table.settingsFor(lists[i]!)).toBe(['/a/b', '/a', '/c', ''][i % 4]);
      }),
    );
  });
});

describe('LivePolicy with routes', () => {
  const slow: RouteSpec = {
    name: 'slow',
    match: { path: { prefix: '/slow' } },
    inbound: { concurrency: { fixed: { limit: 1 } } },
    outbound: { timeout: '9s', circuitBreaker: { consecutiveFailures: 1 } },
  };
  const service: Partial<PolicySpec> = {
    inbound: {
      rateLimits: [{ name: 'all', rate: '1/s', burst: 1 }],
      concurrency: { fixed: { limit: 7 } },
      queue: { requestsMax: 5 },
      deadline: { default: '3s' },
    },
    outbound: { timeout: '1s', circuitBreaker: {} },
  };
  const at = (policy: LivePolicy, path: string) => ({
    inbound: policy.inboundFor(head(path)),
    outbound: policy.outboundFor(head(path)),
  });

  it('answers with the very settings of the service where there are no routes', () => {
    const policy = live({ target: { service: 'payments' } });
    expect(policy.inboundFor(head('/slow'))).toBe(policy.inbound);
    expect(policy.outboundFor(head('/slow'))).toBe(policy.outbound);
  });

  it('gives a route what it names and the service for the rest, with the limits that count both', () => {
    const policy = live(specWith([slow], service));
    const { inbound, outbound } = at(policy, '/slow/1');
    expect(inbound).toMatchObject({ concurrencyLimit: 1, deadline: { defaultMs: 3000 } });
    expect(inbound.admission).not.toBe(policy.inbound.admission);
    expect(inbound.admission?.limit).toBe(1);
    expect(inbound.rateLimits).toBe(policy.inbound.rateLimits);
    expect(outbound).toMatchObject({ deadline: { defaultMs: 9000 }, connectTimeoutMs: 1000, fleetBreaker: false });
    expect(outbound.breaker).not.toBe(policy.outbound.breaker);
    expect(at(policy, '/quick').inbound).toBe(policy.inbound);
    expect(policy.outbound.fleetBreaker).toBe(true);
  });

  it('keeps the breakers of routes apart', () => {
    const states: string[] = [];
    const policy = new LivePolicy('shop/payments', ({ to }, route) => states.push(`${route}:${to}`));
    policy.apply(specWith([slow], service), origin(1), 0);
    const breaker = at(policy, '/slow').outbound.breaker!;
    expect(breaker.tryAcquire(0)).toBe(0);
    breaker.record(Outcome.failure, 1, false, breaker.generation, 1);
    expect(breaker.tryAcquire(2)).toBeGreaterThan(0);
    expect(policy.outbound.breaker!.tryAcquire(2)).toBe(0);
    expect(states).toEqual(['slow:2']);
    expect([...policy.routeBreakers()]).toEqual([{ route: 'slow', breaker }]);
  });

  it('keeps a route, its permits, buckets, breaker and counts across policies, wherever it stands', () => {
    const limited = { ...slow, inbound: { ...slow.inbound, rateLimits: [{ name: 'own', rate: '1/h' }] } };
    const policy = live(specWith([limited], service));
    const before = at(policy, '/slow');
    before.inbound.counts!.countRejected();
    const other: RouteSpec = { name: 'other', match: { method: 'PUT' } };
    const wider = { ...limited, inbound: { ...limited.inbound, concurrency: { fixed: { limit: 2 } } } };
    policy.apply(specWith([other, wider], service), origin(2), 1);
    const after = at(policy, '/slow');
    expect(after.inbound.admission).toBe(before.inbound.admission);
    expect(after.inbound.admission!.limit).toBe(2);
    expect(after.inbound.rateLimits[0]).toBe(before.inbound.rateLimits[0]);
    expect(after.outbound.breaker).toBe(before.outbound.breaker);
    expect(after.inbound.counts!.totals()).toContainEqual(['rejected', 1]);
  });

  it('admits who waits at the limit of a route that is taken away, or that gives up its limit', () => {
    for (const routes of [[], [{ ...slow, inbound: {} }]]) {
      const policy = live(specWith([slow], service));
      const admission = at(policy, '/slow').inbound.admission!;
      let admitted = 0;
      const waiters = [0, 1].map((id) => new TestWaiter(id, 1));
      waiters[1]!.onAdmittedDo = () => admitted++;
      expect([admission.enter(waiters[0]!, 0), admission.enter(waiters[1]!, 0), policy.queued]).toEqual([0, -1, 1]);
      policy.apply(specWith(routes, service), origin(2), 1);
      expect([admitted, policy.queued]).toEqual([1, 0]);
      admission.leave(2);
      admission.leave(2);
      expect(at(policy, '/slow').inbound.admission).toBe(policy.inbound.admission);
    }
  });

  it('refuses at the right time who waits at the limit of a route', () => {
    const policy = live(specWith([slow], service));
    const admission = at(policy, '/slow').inbound.admission!;
    const waiter = new TestWaiter(1);
    admission.enter(new TestWaiter(0), 0);
    admission.enter(waiter, 0);
    policy.expire(199);
    expect(waiter.heard).toEqual([]);
    policy.expire(200);
    expect(waiter.heard).toEqual([`refused ${Reason.queueTimeout} at 200`]);
  });

  it('does nothing in a disabled policy and refuses nothing in a shadowed one', () => {
    const policy = live(specWith([slow], { ...service, enforcement: 'disabled' }));
    expect(policy.inboundFor(head('/slow'))).toBe(passThroughInbound);
    policy.apply(specWith([slow], { ...service, enforcement: 'shadow' }), origin(2), 1);
    const { inbound, outbound } = at(policy, '/slow');
    expect([inbound.shadow, inbound.concurrencyLimit, outbound.shadow]).toEqual([true, 1, true]);
    expect(inbound.admission!.limit).toBe(1);
  });
});

describe('routes of a document', () => {
  const errorsOf = (spec: object): string[] => {
    const result = parsePolicyDocument({ ...minimalPolicy, spec: { target: { service: 'payments' }, ...spec } });
    return result.ok ? [] : result.errors.map(({ pointer, message }) => `${pointer} ${message}`);
  };

  it('have defaults in the sections that they name and nothing in the others', () => {
    const spec = specWith([
      { name: 'a', match: { method: 'PUT' }, inbound: { queue: {}, concurrency: { fixed: { limit: 1 } } } },
    ]);
    expect(withDefaults(spec).routes).toEqual([
      {
        name: 'a',
        match: { method: 'PUT' },
        essential: true,
        inbound: {
          concurrency: { fixed: { limit: 1, abandonAfter: '1s', streamsMax: 1000 } },
          queue: queueWithDefaults({}),
        },
        outbound: {},
      },
    ]);
    expect(withDefaults(withDefaults(spec))).toEqual(withDefaults(spec));
  });

  it('are refused with names that are taken and conditions that contradict each other', () => {
    const match = { method: 'GET' };
    expect(
      errorsOf({
        routes: [
          { name: 'a', match },
          { name: 'a', match: { method: 'HEAD' } },
        ],
      }),
    ).toEqual(['/spec/routes/1/name the name "a" is taken by /spec/routes/0; names are unique']);
    expect(
      errorsOf({ routes: [{ name: 'a', match: { grpc: { service: 'a.B' }, path: { exact: '/' }, method: 'GET' } }] }),
    ).toEqual([
      '/spec/routes/0/match/path grpc names the path already: the path of a call is /<service>/<method>',
      '/spec/routes/0/match/method a call of gRPC is never GET',
    ]);
    for (const header of [{ name: 'x' }, { name: 'x', exact: '1', present: {} }]) {
      expect(errorsOf({ routes: [{ name: 'a', match: { headers: [header] } }] })).toEqual([
        '/spec/routes/0/match/headers/0 a header is compared in one way: exact or present',
      ]);
    }
    expect(errorsOf({ routes: [{ name: 'a', match: {} }] })).toHaveLength(1);
  });

  it('are refused where a section of theirs is wrong, by its place', () => {
    const route = (inbound: object) => ({ name: 'a', match: { method: 'GET' }, inbound });
    expect(errorsOf({ inbound: { concurrency: { fixed: { limit: 1 } } }, routes: [route({ queue: {} })] })).toEqual([
      '/spec/routes/0/inbound/queue a queue needs a concurrency limit: without one nothing ever waits',
    ]);
    expect(errorsOf({ routes: [route({ deadline: { default: '2s', max: '1s' } })] })).toEqual([
      '/spec/routes/0/inbound/deadline/default default "2s" is longer than max "1s"',
    ]);
    const breaker = { circuitBreaker: { openFor: '9s', openForMax: '1s' } };
    expect(
      errorsOf({ outbound: breaker, routes: [{ name: 'a', match: { method: 'GET' }, outbound: { timeout: '1s' } }] }),
    ).toHaveLength(1);
    expect(errorsOf({ routes: [{ name: 'a', match: { method: 'GET' }, outbound: breaker }] })).toEqual([
      '/spec/routes/0/outbound/circuitBreaker/openFor openFor "9s" is longer than openForMax "1s"',
    ]);
  });

  it('are at most 64', () => {
    const routes = Array.from({ length: 65 }, (_, i) => ({ name: `r${i}`, match: { path: { exact: `/${i}` } } }));
    expect(errorsOf({ routes: routes.slice(1) })).toEqual([]);
    expect(errorsOf({ routes })).toEqual(['/spec/routes has 65 entries; at most 64']);
  });
});
