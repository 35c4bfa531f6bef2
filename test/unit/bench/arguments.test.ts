/** A benchmark that quietly measures something else than asked is worse than none: what is not understood is refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePolicyYaml } from '../../../proto/policy/parse.ts';
import { parseArguments, usage } from '../../bench/arguments.ts';
import { cases } from '../../bench/cases.ts';
import { proxyKinds } from '../../bench/proxies.ts';

function refusal(...args: string[]): string {
  const parsed = parseArguments(args);
  return parsed.kind === 'refused' ? parsed.message : `not refused: ${parsed.kind}`;
}

describe('arguments of the benchmark', () => {
  it('without any mean 3 rounds of 5 s of every case for the three proxies', () => {
    expect(parseArguments([])).toEqual({
      kind: 'run',
      options: {
        cases: ['idle', ...cases.map(({ name }) => name)],
        proxies: ['weir', 'haproxy', 'node-http2'],
        seconds: 5,
        rounds: 3,
        warmUpSeconds: 2,
        json: false,
      },
    });
  });

  it('take --quick, and single figures over it', () => {
    expect(parseArguments(['--quick', '--rounds', '2', '--json'])).toMatchObject({
      options: { seconds: 2, rounds: 2, warmUpSeconds: 1, json: true },
    });
  });

  it('refuse unknown names, numbers out of range and unknown flags, all errors at once', () => {
    expect(refusal('--cases', 'unary', '--seconds', '0')).toMatch(/unary[\s\S]*--seconds 0: a whole number/);
    expect(refusal('--proxies', ',')).toContain('names nothing');
    expect(refusal('--rounds', '1e9')).toContain('--rounds 1e9');
    expect(refusal('--fast')).toContain('--fast');
  });

  it('are explained with every case and proxy', () => {
    expect(parseArguments(['--help'])).toEqual({ kind: 'help' });
    for (const { name } of [...cases, ...proxyKinds]) expect(usage).toContain(name);
  });
});

describe('the configurations of the benchmark', () => {
  const read = (name: string) => readFileSync(join(import.meta.dirname, '../../bench', name), 'utf8');

  it('hold a valid policy with every limit on and enforced', () => {
    const parsed = parsePolicyYaml(read('policy.yaml'));
    expect(parsed).toMatchObject({ ok: true });
    const [policy] = parsed.ok ? parsed.policies : [];
    expect(policy?.spec.enforcement ?? 'enforce').toBe('enforce');
    expect(Object.keys(policy?.spec.inbound ?? {}).sort()).toEqual(['concurrency', 'deadline', 'queue', 'rateLimits']);
    expect(policy?.spec.outbound?.circuitBreaker).toBeDefined();
  });

  it('ask the same of haproxy: a total rate, one per client, a limit with a queue', () => {
    const haproxy = read('haproxy.cfg');
    for (const part of [
      'fe_req_rate gt 10000000',
      'sc_http_req_rate(0) gt 10000000',
      'maxconn 10000',
      'maxqueue 1000',
    ]) {
      expect(haproxy).toContain(part);
    }
  });
});
