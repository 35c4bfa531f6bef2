/** Fallbacks of a policy: what they are made of, what is refused, and what outlives a new policy. */
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import type { FallbackSpec, PolicySpec } from '../../../proto/policy/schema.ts';
import { reasonTable } from '../../../proto/reasons.ts';
import { compile } from '../../../sidecar/policy/compile.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';
import { minimalPolicy } from './documents.ts';

const specWith = (fallback: FallbackSpec): PolicySpec => ({ target: { service: 'payments' }, outbound: { fallback } });
const compiled = (fallback: FallbackSpec) => compile(specWith(fallback)).outbound.fallback!;
const errorsOf = (fallback: object): string[] => {
  const spec = { target: { service: 'payments' }, outbound: { fallback } };
  const result = parsePolicyDocument({ ...minimalPolicy, spec });
  return result.ok ? [] : result.errors.map(({ pointer, message }) => `${pointer} ${message}`);
};

describe('a fallback', () => {
  it('has defaults for all that can be left out', () => {
    expect(withDefaults(specWith({ stale: {}, static: { http: {}, grpc: {} } })).outbound.fallback).toEqual({
      on: ['breakerOpen', 'noEndpoints', 'refused', 'failed'],
      stale: { maxAge: '5m', entriesMax: 1000, bytesMax: '8MiB', answerBytesMax: '64KiB', grpcMethods: [] },
      static: { http: { status: 200 }, grpc: { status: 0 } },
    });
  });

  it.each<[NonNullable<FallbackSpec['on']>[number], string[]]>([
    ['breakerOpen', ['breaker_open', 'fleet_breaker_open']],
    ['noEndpoints', ['no_endpoints']],
    ['failed', ['deadline', 'upstream_connect', 'upstream_protocol', 'upstream_reset']],
    ['serverError', []],
  ])('on %s stands in for %j', (on, expected) => {
    const { onReason } = compiled({ on: [on], service: 'a/b' });
    expect(
      reasonTable
        .filter((_, code) => onReason[code] === 1)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(expected);
  });

  it('on refused stands in for what protects the service, and not for what protects the proxy', () => {
    const { onReason, onRefusal } = compiled({ on: ['refused'], service: 'a/b' });
    const names = reasonTable.filter((_, code) => onReason[code] === 1).map(({ name }) => name);
    expect(onRefusal).toBe(true);
    expect(names).toContain('shed');
    for (const other of ['none', 'breaker_open', 'draining', 'proxy_overload', 'flow_control', 'no_route']) {
      expect(names).not.toContain(other);
    }
  });

  it('frames the message of a call, and says a status alone in the head', () => {
    const message = Buffer.from('abc').toString('base64');
    expect(compiled({ static: { grpc: { message, trailers: [{ name: 'X-A', value: 'b' }] } } }).grpc).toEqual({
      status: 200,
      fields: [['content-type', 'application/grpc']],
      body: Buffer.from([0, 0, 0, 0, 3, 97, 98, 99]),
      trailers: [
        ['grpc-status', '0'],
        ['x-a', 'b'],
      ],
    });
    expect(compiled({ static: { grpc: { status: 5, statusMessage: 'é%' } } }).grpc).toEqual({
      status: 200,
      fields: [
        ['content-type', 'application/grpc'],
        ['grpc-status', '5'],
        ['grpc-message', '%C3%A9%25'],
      ],
      body: null,
      trailers: null,
    });
  });

  it('is refused when it answers nothing, or says what it cannot', () => {
    expect(errorsOf({})).toEqual(['/spec/outbound/fallback a fallback names what answers: service, stale or static']);
    const http = {
      status: 204,
      body: 'x',
      headers: [
        { name: 'Content-Length', value: '1' },
        { name: 'x', value: '1' },
      ],
    };
    expect(errorsOf({ static: { http } })).toEqual([
      '/spec/outbound/fallback/static/http/body an answer with status 204 has no body',
      '/spec/outbound/fallback/static/http/headers/0/name "Content-Length" is not for a fallback to set',
    ]);
    expect(errorsOf({ static: { grpc: { status: 5, message: '' } } })).toEqual([
      '/spec/outbound/fallback/static/grpc/message a call that failed has no response message',
    ]);
    expect(errorsOf({ static: { grpc: { message: 'a' } } })).toHaveLength(1);
    expect(errorsOf({ static: { http: { headers: [{ name: 'x', value: 'a\r\nb' }] } } })).toHaveLength(1);
    expect(errorsOf({ service: 'backup' })).toHaveLength(1);
  });

  it('keeps the last good answers across policies, within the new bounds, and in each thread its part', () => {
    const origin = { epoch: '0', version: 1, hash: '' };
    const policy = new LivePolicy('shop/payments');
    policy.apply(specWith({ stale: {} }), origin, 0);
    const before = policy.outbound.fallback!.stale!;
    const stored = { vary: [], status: 200, fields: [], body: Buffer.from('a'), trailers: null, storedMs: 0, ageMs: 0 };
    for (const key of ['a', 'b', 'c']) before.store(key, { ...stored, maxAgeMs: 1e9 });
    policy.apply(specWith({ stale: { entriesMax: 2 } }), origin, 1);
    expect([policy.outbound.fallback!.stale, before.entries]).toEqual([before, 2]);
    policy.apply(specWith({ service: 'a/b' }), origin, 2);
    expect(policy.outbound.fallback!.stale).toBeNull();
    expect([...policy.fallbackServices()]).toEqual(['a/b']);
  });
});
