/** Flow control in policies: what its settings become on either side, in shadow and in routes, and what cannot be. */
import { describe, expect, test } from 'vitest';
import { parsePolicyJson } from '../../../proto/policy/parse.ts';
import type { PolicySpec } from '../../../proto/policy/schema.ts';
import { compile } from '../../../sidecar/policy/compile.ts';
import { policyWith } from './documents.ts';

const overflow = { responseOverflow: { dropOldest: { messagesMax: 8 } } };
const settings = { dropsOldest: true, messagesMax: 8, bytesMax: 4_194_304 };

function specOf(spec: object): PolicySpec {
  const parsed = parsePolicyJson(policyWith(spec));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.policy.spec;
}

function errorsOf(spec: object): string[] {
  const parsed = parsePolicyJson(policyWith(spec));
  return parsed.ok ? [] : parsed.errors.map(({ pointer, message }) => `${pointer}: ${message}`);
}

describe('flowControl', () => {
  test('is the same on both sides, and of a route where the route names it', () => {
    const { inbound, outbound, routes } = compile(
      specOf({
        inbound: { flowControl: overflow },
        outbound: { flowControl: { requestOverflow: { dropNewest: { bytesMax: '1KiB' } } } },
        routes: [{ name: 'calm', match: { method: 'POST' }, inbound: { flowControl: { stallTimeout: '1s' } } }],
      }),
    );
    expect(inbound.flow).toMatchObject({ shadow: false, requestOverflow: null, responseOverflow: settings });
    expect(outbound.flow).toMatchObject({
      requestOverflow: { dropsOldest: false, messagesMax: 16, bytesMax: 1024 },
      responseOverflow: null,
    });
    expect(routes[0]!.inbound.flow).toMatchObject({ stallTimeoutMs: 1000, responseOverflow: null });
    expect(routes[0]!.outbound.flow).toEqual(outbound.flow);
  });

  test('in shadow only counts what it would drop and end, and is nothing where it only slows down', () => {
    const pace = { windowMax: '64KiB', stallTimeout: '1s', responsePace: { messages: '1/s' } };
    const shadow = (flowControl: object) =>
      compile(specOf({ enforcement: 'shadow', inbound: { flowControl } })).inbound;
    expect(shadow({ ...pace, ...overflow }).flow).toEqual({
      shadow: true,
      windowBytesMax: 0,
      stallTimeoutMs: 1000,
      requestPace: null,
      responsePace: null,
      requestOverflow: null,
      responseOverflow: settings,
    });
    const { stallTimeout: _, ...slowing } = pace;
    expect(shadow(slowing).flow).toBe(null);
  });

  test('drops the oldest or the newest messages, not both', () => {
    const both = { requestOverflow: { dropOldest: {}, dropNewest: {} } };
    expect(errorsOf({ inbound: { flowControl: both } })[0]).toMatch(/^\/spec\/inbound\/flowControl\/requestOverflow/);
    expect(errorsOf({ inbound: { flowControl: { requestOverflow: {} } } })).toHaveLength(1);
  });

  test('drops no messages where there are none', () => {
    const route = { name: 'search', match: { method: 'GET' }, outbound: { flowControl: overflow } };
    expect(errorsOf({ routes: [route] })).toEqual([
      '/spec/routes/0/outbound/flowControl/responseOverflow: only gRPC has messages to drop, and a call of gRPC is never "GET"',
    ]);
  });

  test('drops no messages of requests that are all critical', () => {
    const inbound = { flowControl: overflow, priorities: { default: 'critical' } };
    expect(errorsOf({ inbound })).toEqual([
      '/spec/inbound/flowControl/responseOverflow: by priorities.default every request is critical, and loses no message',
    ]);
    const rules = [{ match: { method: 'POST' }, tier: 'normal' }];
    expect(errorsOf({ inbound: { ...inbound, priorities: { default: 'critical', rules } } })).toEqual([]);
  });

  test('does not go with hedging, of which it could only shape one copy', () => {
    const flowControl = { stallTimeout: '1s' };
    expect(errorsOf({ outbound: { flowControl, hedging: { after: '50ms' } } })).toHaveLength(2);
    const route = { name: 'a', match: { method: 'GET' }, outbound: { hedging: { after: '50ms' } } };
    expect(errorsOf({ outbound: { flowControl }, routes: [route] })).toEqual([
      '/spec/routes/0/outbound/hedging: what flowControl shapes is sent once: it cannot be hedged',
    ]);
  });
});
