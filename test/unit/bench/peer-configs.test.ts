/** Each peer is asked what the sidecar is asked, in the cases where that differs too. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { parsePolicyYaml } from '../../../proto/policy/parse.ts';
import { type Mark, marksOf, plainSetting, renderConfig } from '../../bench/config-template.ts';

const values = {
  LISTEN_PORT: '1',
  ORIGIN_PORT: '2',
  SCRATCH: '/s',
  CERTIFICATE: '/c',
  KEY: '/k',
  CERTIFICATE_AND_KEY: '/b',
};
const read = (name: string) => readFileSync(join(import.meta.dirname, '../../bench/peers', name), 'utf8');
const render = (name: string, marks: readonly Mark[] = ['plain', 'admit']) => renderConfig(read(name), marks, values);

/** `${NAME}`, in a file that is itself code. */
const hole = (name: string) => `$\{${name}}`;

describe('renderConfig', () => {
  it('keeps the lines of the marks that are on, at their indentation, and drops the others', () => {
    const text = `a\n  #[tls] b: ${hole('KEY')}\n  #[plain] c\n# comment`;
    expect(renderConfig(text, ['tls'], { KEY: 'k' })).toBe('a\n  b: k\n# comment');
  });

  it('refuses a mark and a name that nobody knows, and leaves the variables of the formats alone', () => {
    expect(() => renderConfig('#[tsl] x', [], {})).toThrow(/unknown mark in #\[tsl\] x/);
    expect(() => renderConfig(hole('PORT'), [], { KEY: 'k' })).toThrow('no value for PORT; there are KEY');
    expect(renderConfig('$server_name', [], {})).toBe('$server_name');
  });

  it('has one mark for each of the two questions', () => {
    expect(marksOf(plainSetting)).toEqual(['plain', 'admit']);
    expect(marksOf({ tls: true, refuses: true })).toEqual(['tls', 'refuse']);
  });
});

describe('the sidecar’s policy', () => {
  it('has every limit on and enforced', () => {
    const parsed = parsePolicyYaml(render('policy.yaml'));
    expect(parsed).toMatchObject({ ok: true });
    const [policy] = parsed.ok ? parsed.policies : [];
    expect(policy?.spec.enforcement ?? 'enforce').toBe('enforce');
    expect(Object.keys(policy?.spec.inbound ?? {}).sort()).toEqual(['concurrency', 'deadline', 'queue', 'rateLimits']);
    expect(policy?.spec.outbound?.circuitBreaker).toBeDefined();
  });

  it('lets one request a second pass where all are to be refused', () => {
    const parsed = parsePolicyYaml(render('policy.yaml', ['plain', 'refuse']));
    const [policy] = parsed.ok ? parsed.policies : [];
    expect(policy?.spec.inbound?.rateLimits?.[0]).toMatchObject({ name: 'total', rate: '1/s', burst: 1 });
  });
});

describe.each([
  ['haproxy.cfg', ['fe_req_rate gt 10000000', 'sc_http_req_rate(0) gt 10000000', 'maxconn 20000', 'maxqueue 1000']],
  [
    'nginx.conf',
    ['zone=total:1m rate=10000000r/s', 'zone=per_client:1m rate=10000000r/s', 'limit_conn in_flight 20000'],
  ],
  ['nghttpx.conf', ['worker-frontend-connections=10000', 'fall=5']],
  ['envoy.yaml', ['max_tokens: 10000000', 'max_requests: 20000', 'max_pending_requests: 20000', 'consecutive_5xx: 5']],
])('%s', (name, limits) => {
  it('has the same limits', () => {
    for (const limit of limits) expect(render(name)).toContain(limit);
  });

  it('speaks TLS where it is to', () => {
    expect(render(name)).not.toMatch(/\/c|\/k|\/b/);
    expect(render(name, ['tls', 'admit'])).toMatch(name === 'haproxy.cfg' ? /ssl crt \/b / : /\/c[\s\S]*\/k/);
  });

  it('leaves no mark and no name unfilled', () => {
    for (const marks of [['plain', 'refuse'] as const, ['tls', 'admit'] as const]) {
      expect(render(name, marks)).not.toMatch(/#\[|\$\{/);
    }
  });
});

describe('envoy.yaml', () => {
  it('is YAML in every form, with TLS on the chain and one token a second where all are refused', () => {
    expect(
      parseYaml(render('envoy.yaml', ['tls', 'admit'])).static_resources.listeners[0].filter_chains[0],
    ).toMatchObject({
      transport_socket: { name: 'envoy.transport_sockets.tls' },
    });
    expect(render('envoy.yaml', ['plain', 'refuse'])).toContain('max_tokens: 1,');
  });
});
