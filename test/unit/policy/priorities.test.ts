/** Priorities, levels and throttle as a policy has them: what they become, what is refused, and what outlives a swap. */
import { describe, expect, test } from 'vitest';
import { parsePolicyYaml } from '../../../proto/policy/parse.ts';
import type { PolicySpec } from '../../../proto/policy/schema.ts';
import { Tier } from '../../../proto/tiers.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';

const origin = { epoch: '', version: 1, hash: '' };

function problemsOf(spec: string): string[] {
  const text = `apiVersion: weir.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: a }\nspec:\n  target: { service: a }\n${spec}`;
  const result = parsePolicyYaml(text);
  return result.ok ? [] : result.errors.map(({ message }) => message);
}

function live(spec: Omit<PolicySpec, 'target'>): LivePolicy {
  const policy = new LivePolicy('default/a');
  policy.apply({ target: { service: 'a' }, ...spec }, origin, 0);
  return policy;
}

const head = (method: string, path: string, more: [string, string][] = []): HeaderList =>
  HeaderList.of([[':method', method], [':path', path], [':scheme', 'http'], [':authority', 'a'], ...more]);

describe('priorities of a policy', () => {
  const policy = live({
    inbound: {
      priorities: {
        default: 'low',
        rules: [
          { tier: 'critical', match: { method: 'POST', path: { prefix: '/pay' } } },
          { tier: 'high', identity: 'spiffe://mesh/ns/shop/*' },
          { tier: 'background', match: { path: { exact: '/report' } }, essential: false },
        ],
        trustedIdentities: ['gateway.example', 'spiffe://edge/*'],
      },
    },
  });
  const classes = policy.inbound.priorities!;

  test('give a request the tier of the first rule that is about it', () => {
    expect(classes.ruleFor(head('POST', '/pay/1?x'), '').tier).toBe(Tier.critical);
    expect(classes.ruleFor(head('GET', '/pay/1'), '').tier).toBe(Tier.low);
    expect(classes.ruleFor(head('GET', '/'), 'spiffe://mesh/ns/shop/sa/cart').tier).toBe(Tier.high);
    expect(classes.ruleFor(head('GET', '/'), 'spiffe://mesh/ns/other/sa/cart').tier).toBe(Tier.low);
    expect(classes.ruleFor(head('GET', '/report'), '')).toMatchObject({ tier: Tier.background, essential: false });
  });

  test('trust the identities they name, and nobody without one', () => {
    expect(
      ['gateway.example', 'spiffe://edge/1', 'gateway.example.evil', ''].map((one) => classes.trusts(one)),
    ).toEqual([true, true, false, false]);
  });

  test('find the rule of a head once, where rules see nothing else', () => {
    const byHead = live({
      inbound: { priorities: { rules: [{ tier: 'batch', match: { headers: [{ name: 'X-Job', present: {} }] } }] } },
    }).inbound.priorities!;
    const one = head('GET', '/', [['x-job', '1']]);
    for (let i = 0; i < 3; i++) expect(byHead.ruleFor(one, '').tier).toBe(Tier.batch);
    expect(byHead.ruleFor(head('GET', '/'), '').tier).toBe(Tier.normal);
  });
});

test('levels and throttle outlive a swap that leaves them as they are, and no other', () => {
  const concurrency = { fixed: { limit: 4 } };
  const policy = live({ inbound: { concurrency, levels: {} }, outbound: { throttle: {} } });
  const { levels } = policy.inbound;
  const { throttle, level } = policy.outbound;
  expect([levels, throttle, level]).not.toContain(null);
  const spec = {
    target: { service: 'a' },
    inbound: { concurrency: { fixed: { limit: 5 } }, levels: {} },
    outbound: { throttle: {} },
  };
  policy.apply(spec, origin, 1);
  expect(policy.inbound.levels).toBe(levels);
  expect(policy.outbound.throttle).toBe(throttle);
  expect(policy.outbound.level).toBe(level);
  policy.apply(
    { ...spec, inbound: { concurrency, levels: { queueingMax: '5ms' } }, outbound: { throttle: { window: '5s' } } },
    origin,
    2,
  );
  expect(policy.inbound.levels).not.toBe(levels);
  expect(policy.outbound.throttle).not.toBe(throttle);
  policy.apply({ target: { service: 'a' }, inbound: { concurrency } }, origin, 3);
  expect(policy.inbound.levels).toBeNull();
  expect(policy.outbound.level).toBeNull();
  expect(policy.outbound.throttle).toBeNull();
});

test('a route has the levels of its service', () => {
  const policy = live({
    inbound: { concurrency: { fixed: { limit: 4 } }, levels: {} },
    routes: [{ name: 'extra', match: { path: { prefix: '/extra' } }, essential: false }],
  });
  const inbound = policy.inboundFor(head('GET', '/extra/1'));
  expect(inbound.levels).toBe(policy.inbound.levels);
  expect(inbound.essential).toBe(false);
});

test.each([
  ['levels without a limit', '  inbound: { levels: {} }\n', /^levels follow from how long requests wait/],
  [
    'levels of a route',
    '  routes: [{ name: r, match: { path: { exact: /a } }, inbound: { concurrency: { fixed: { limit: 1 } }, levels: {} } }]\n',
    /^levels are the service's/,
  ],
  [
    'a rule about everything',
    '  inbound: { priorities: { rules: [{ tier: high, essential: true }] } }\n',
    /every request/,
  ],
  ['a tier that is none', '  inbound: { priorities: { default: urgent } }\n', /urgent|critical/],
  ['a window that is too long', '  outbound: { throttle: { window: 1h } }\n', /outside the allowed range/],
])('refuses %s', (_what, spec, message) => {
  expect(problemsOf(spec).join('\n')).toMatch(message);
});
