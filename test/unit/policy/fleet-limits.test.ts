/** A rate limit of the fleet as a policy says it: what is refused and why, and what is made of it. */
import { describe, expect, it } from 'vitest';
import { burstOfShare, type FleetLimit, fleetLimitsOf } from '../../../proto/policy/fleet-limits.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';
import { policyWith } from './documents.ts';

const limit = { name: 'total', scope: 'fleet', rate: '600/m', fleet: { instancesMax: 20 } };

function parse(spec: object) {
  const result = parsePolicyDocument(policyWith(spec));
  return result.ok
    ? { limits: fleetLimitsOf(result.policies[0]!.spec), errors: [] }
    : { limits: null, errors: result.errors };
}

function errorsOf(change: object): string[] {
  const { errors } = parse({ inbound: { rateLimits: [{ ...limit, ...change }] } });
  return errors.map(({ pointer, message }) => `${pointer.replace('/spec/inbound/rateLimits/0', '')}: ${message}`);
}

function only(change: object): FleetLimit {
  const found = parse({ inbound: { rateLimits: [{ ...limit, ...change }] } }).limits?.get('total');
  if (found === undefined) throw new Error('no such limit');
  return found;
}

describe('a fleet limit over threads', () => {
  it('is one bucket, also after a policy has changed it', () => {
    const seat = { index: 0, count: 2, wake: () => {} };
    const sharing = { seat, part: 'inbound', keySeeds: [1, 2], delivery: null } as const;
    const main = new LivePolicy('shop/payments', undefined, sharing);
    const worker = new LivePolicy('shop/payments', undefined, { ...sharing, seat: { ...seat, index: 1 } });
    const limiterOf = (policy: LivePolicy) => [...policy.fleetLimits()][0]!.limiter;
    const obey = (rate: string, version: number): void => {
      const result = parsePolicyDocument(policyWith({ inbound: { rateLimits: [{ ...limit, rate }] } }));
      const spec = result.ok ? result.policies[0]!.spec : null;
      const origin = { epoch: '1', version, hash: '' };
      main.apply(spec, origin, 1000);
      worker.apply(spec, origin, 1000, main.memory);
    };
    obey('100/s', 1);
    expect(limiterOf(worker).tryAcquire('', 1000)).toBeGreaterThan(0);
    const lease = { rate: 50, burst: 5, safeRate: 5, safeBurst: 1, safeForMs: 60_000, chunk: 0 };
    expect(limiterOf(main).grant(lease, 2000, 1000)).toBe(true);
    obey('200/s', 2);
    expect(limiterOf(worker).reading(1100)).toMatchObject({ state: 'leased', rate: 50, level: 5 });
    for (const policy of [worker, main, worker, main, worker]) expect(limiterOf(policy).tryAcquire('', 1100)).toBe(0);
    expect(limiterOf(main).tryAcquire('', 1100)).toBeGreaterThan(0);
    expect(limiterOf(main).reading(1100)).toMatchObject({ demand: 7, admitted: 5 });
  });
});

describe('a fleet limit in a policy', () => {
  it.each<[object, string[]]>([
    [{ fleet: undefined }, ['/fleet: scope fleet needs to know how many instances share the limit']],
    [{ scope: 'perProxy' }, ['/fleet: says how a fleet shares the limit, but the scope is perProxy']],
    [
      { key: { identity: {} } },
      [
        '/key: a limit of the fleet is one bucket: each instance would have to tell the control plane of every key that ' +
          'a stranger makes up, ten times a second',
      ],
    ],
    [
      { algorithm: { fixedWindow: {} } },
      ['/algorithm: a limit of the fleet is a token bucket: windows and turns cannot be shared out'],
    ],
    [
      { fleet: { instancesMax: 20, allotment: 'chunks', withoutControlPlane: 'safe' } },
      ['/fleet/withoutControlPlane: chunks know no safe rate: what was not given out is admitted by nobody'],
    ],
    [{ fleet: { instancesMax: 0 } }, ['/fleet/instancesMax: 0 is outside the allowed range, 1 to 10000']],
    [
      { burst: 3, cost: { constant: 5 } },
      ['/cost/constant: a request that costs 5 would never be admitted: it is more than burst 3'],
    ],
  ])('may not say %o', (change, errors) => {
    expect(errorsOf(change)).toEqual(errors);
  });

  it('leaves each instance its part of the reserve, and at most an equal part of the rate', () => {
    expect(only({})).toEqual({
      rate: 10,
      burst: 1,
      costMax: 1,
      instancesMax: 20,
      newcomerRate: 0.025,
      safeRateMax: 0.5,
      safeForMs: 900_000,
      withoutControlPlane: 'safe',
      chunks: false,
    });
    const closed = only({ fleet: { instancesMax: 2, withoutControlPlane: 'closed' }, cost: { constant: 5 } });
    expect(closed).toMatchObject({ newcomerRate: 0, safeRateMax: 0, costMax: 5, burst: 5 });
    const chunks = only({ fleet: { instancesMax: 2, allotment: 'chunks' } });
    expect(chunks).toMatchObject({ newcomerRate: 0, safeRateMax: 0, withoutControlPlane: 'closed', chunks: true });
  });

  it('is named by its route, and is none where the policy is disabled', () => {
    const routes = [{ name: 'search', match: { method: 'GET' }, inbound: { rateLimits: [limit] } }];
    const spec = { inbound: { rateLimits: [limit, { name: 'own', rate: '5/s' }] }, routes };
    expect([...parse(spec).limits!.keys()]).toEqual(['total', 'search/total']);
    expect([...parse({ ...spec, enforcement: 'shadow' }).limits!.keys()]).toEqual(['total', 'search/total']);
    expect([...parse({ ...spec, enforcement: 'disabled' }).limits!.keys()]).toEqual([]);
  });

  it('divides the burst so that all parts together are no more than it', () => {
    const shared = { ...only({ rate: '1000/s' }), instancesMax: 4 };
    const shares = [700, 200, 100, 0.001];
    const sum = shares.reduce((total, share) => total + burstOfShare(shared, share), 0);
    expect(sum).toBeCloseTo(shared.burst, 3);
    expect(burstOfShare(shared, 0)).toBe(0);
  });
});
