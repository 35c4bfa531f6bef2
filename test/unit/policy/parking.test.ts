/** Parking of a policy: its defaults, which reasons park, and what is refused. */
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import type { ParkingSpec, PolicySpec } from '../../../proto/policy/schema.ts';
import { reasonTable } from '../../../proto/reasons.ts';
import { compile } from '../../../sidecar/policy/compile.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';
import { minimalPolicy } from './documents.ts';

const idempotent = { httpMethods: ['POST'] } satisfies ParkingSpec['idempotent'];
const specWith = (parking: ParkingSpec): PolicySpec => ({ target: { service: 'payments' }, outbound: { parking } });
const errorsOf = (parking: object): string[] => {
  const spec = { target: { service: 'payments' }, outbound: { parking } };
  const result = parsePolicyDocument({ ...minimalPolicy, spec });
  return result.ok ? [] : result.errors.map(({ pointer, message }) => `${pointer} ${message}`);
};

describe('parking', () => {
  it('has defaults for all but what may be carried out twice', () => {
    expect(withDefaults(specWith({ idempotent: { httpMethods: ['POST'] } })).outbound.parking).toEqual({
      idempotent: { grpcMethods: [], httpMethods: ['POST'] },
      on: ['breakerOpen', 'refused', 'failed'],
      bodyMax: '64KiB',
      headers: [],
      messagesMax: 100_000,
      ageMax: '24h',
      maxDeliveries: 8,
      backoff: { base: '1s', max: '5m' },
      answer: { http: {}, grpc: { status: 10, statusMessage: 'parked, and delivered later' } },
    });
    expect(errorsOf({})).toEqual(['/spec/outbound/parking/idempotent the field "idempotent" is missing']);
  });

  it.each<[NonNullable<ParkingSpec['on']>[number], string[]]>([
    ['breakerOpen', ['breaker_open', 'fleet_breaker_open']],
    ['failed', ['no_endpoints', 'upstream_connect', 'upstream_protocol', 'upstream_reset']],
    ['timeout', ['deadline', 'try_timeout']],
  ])('on %s parks for %j', (on, expected) => {
    const { onReason } = compile(specWith({ idempotent: { httpMethods: ['POST'] }, on: [on] })).outbound.parking!;
    const names = reasonTable.filter((_, code) => onReason[code] === 1).map(({ name }) => name);
    expect(names.sort()).toEqual(expected);
  });

  it('on refused parks for what protects the service, and not for what protects the proxy', () => {
    const { onReason } = compile(specWith({ idempotent: { httpMethods: ['POST'] }, on: ['refused'] })).outbound
      .parking!;
    const names = reasonTable.filter((_, code) => onReason[code] === 1).map(({ name }) => name);
    for (const one of ['queue_full', 'shed', 'rate_limit', 'upstream_level', 'client_throttle'])
      expect(names).toContain(one);
    for (const one of ['none', 'breaker_open', 'draining', 'proxy_overload', 'flow_control', 'no_route']) {
      expect(names).not.toContain(one);
    }
  });

  it('is refused when it parks nothing, keeps what is of one hop, or answers what nobody can read', () => {
    expect(
      errorsOf({
        idempotent: { httpMethods: [] },
        headers: ['x-a', 'Grpc-Timeout', 'weir-tier'],
        backoff: { base: '10s', max: '1s' },
        answer: { grpc: { status: 5, message: 'aGVsbG8=' } },
      }),
    ).toEqual([
      '/spec/outbound/parking/idempotent nothing is parked: name methods that may be carried out twice',
      '/spec/outbound/parking/backoff/base base "10s" is longer than max "1s"',
      '/spec/outbound/parking/headers/1 "Grpc-Timeout" is of one connection or hop, and cannot be kept',
      '/spec/outbound/parking/headers/2 "weir-tier" is of one connection or hop, and cannot be kept',
      '/spec/outbound/parking/answer/grpc/message a call that failed has no response message',
    ]);
  });

  it('of one route is enough for the service to deliver', () => {
    const policy = new LivePolicy('default/payments');
    const origin = { epoch: '', version: 1, hash: '' };
    const route = { name: 'a', match: { method: 'POST' }, outbound: { parking: { idempotent } } };
    expect(policy.parks).toBe(false);
    policy.apply({ target: { service: 'payments' }, routes: [route] }, origin, 0);
    expect(policy.parks).toBe(true);
    policy.apply(
      { target: { service: 'payments' }, routes: [{ ...route, outbound: {} }] },
      { ...origin, version: 2 },
      0,
    );
    expect(policy.parks).toBe(false);
  });
});
