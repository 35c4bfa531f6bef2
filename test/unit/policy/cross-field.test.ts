/**
 * Combinations that cannot work, section by section: each is refused at its place, with a reason that says what is wrong, and
 * for that reason alone.
 */
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import { InboundSpec, OutboundSpec } from '../../../proto/policy/schema.ts';
import { concurrency, rows } from './cross-field-rows.ts';
import { policyWith } from './documents.ts';

describe('a policy is refused with', () => {
  it.each(rows)('%s', (_why, spec, pointer, reason) => {
    const result = parsePolicyDocument(policyWith(spec));
    expect(result.ok).toBe(false);
    if (result.ok) return;
    expect(result.errors.map((error) => error.pointer)).toEqual([pointer]);
    expect(result.errors[0]!.message).toMatch(reason);
  });
});

/** Beside them stand combinations that look alike and work. */
const accepted: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['a default that is longer than the request', { outbound: { timeout: '500ms', circuitBreaker: {}, retries: {} } }],
  ['a breaker under a time of attempts', { outbound: { timeout: '5s', perTryTimeout: '1s', circuitBreaker: {} } }],
  ['hedges beside more retries', { outbound: { retries: { attemptsMax: 3 }, hedging: { after: '50ms' } } }],
  [
    'a breaker of a route under the time of the service',
    {
      outbound: { timeout: '500ms', perTryTimeout: '200ms' },
      routes: [{ name: 'a', match: { method: 'GET' }, outbound: { circuitBreaker: { slowCalls: {} } } }],
    },
  ],
  ['a throttle that is off', { outbound: { throttle: { enabled: false } } }],
  [
    'a queue in the order of arrival',
    { inbound: { concurrency, queue: { discipline: 'fifo' }, deadline: { max: '1s' } } },
  ],
];

it.each(accepted)('a policy is accepted with %s, and stays so with its defaults written out', (_why, spec) => {
  const result = parsePolicyDocument(policyWith(spec));
  expect(result).toMatchObject({ ok: true });
  if (!result.ok) return;
  const [policy] = result.policies;
  expect(parsePolicyDocument({ ...policy, spec: withDefaults(policy!.spec) })).toMatchObject({ ok: true });
});

it('the table has a row for every section that can be told what cannot work', () => {
  /** Nothing in them depends on anything else; parking has a table of its own; the timeout is only ever what is passed. */
  const free = ['outbound.loadBalancing', 'outbound.parking', 'outbound.timeout'];
  const named = rows.map(([, , pointer]) => pointer.split('/').slice(2, 4).join('.'));
  const sections = [
    ...Object.keys(InboundSpec.properties).map((name) => `inbound.${name}`),
    ...Object.keys(OutboundSpec.properties).map((name) => `outbound.${name}`),
  ];
  expect(sections.filter((section) => !named.includes(section) && !free.includes(section))).toEqual([]);
});
