/** A benchmark that quietly measures something else than asked is worse than none: what is not understood is refused. */
import { describe, expect, it } from 'vitest';
import { estimateMinutes, parseArguments, usage } from '../../bench/arguments.ts';
import { allCases, defaultCases } from '../../bench/cases.ts';
import { proxyKinds } from '../../bench/proxies.ts';
import { targets } from '../../bench/targets.ts';

function refusal(...args: string[]): string {
  const parsed = parseArguments(args);
  return parsed.kind === 'refused' ? parsed.message : `not refused: ${parsed.kind}`;
}

describe('arguments of the benchmark', () => {
  it('without any mean 3 rounds of 3 s of the lighter cases for every proxy but the outbound one', () => {
    expect(parseArguments([])).toEqual({
      kind: 'run',
      options: {
        cases: defaultCases.map(({ name }) => name),
        proxies: ['weir', 'haproxy', 'nginx', 'nghttpx', 'envoy', 'node-http2'],
        seconds: 3,
        rounds: 3,
        warmUpSeconds: 1,
        json: false,
      },
    });
  });

  it('take about twelve minutes where all proxies are present', () => {
    const parsed = parseArguments([]);
    if (parsed.kind !== 'run') throw new Error('refused');
    expect(estimateMinutes(parsed.options, parsed.options.proxies.length)).toBeLessThan(14);
  });

  it('take --quick, and single figures over it', () => {
    expect(parseArguments(['--quick', '--rounds', '2', '--json'])).toMatchObject({
      options: { seconds: 2, rounds: 2, warmUpSeconds: 1, json: true },
    });
  });

  it('take --all for every case, or some by name in the order of the table', () => {
    expect(parseArguments(['--all'])).toMatchObject({ options: { cases: allCases.map(({ name }) => name) } });
    expect(parseArguments(['--cases', 'million,start'])).toMatchObject({ options: { cases: ['start', 'million'] } });
  });

  it('refuse unknown names, numbers out of range and unknown flags, all errors at once', () => {
    expect(refusal('--cases', 'unary', '--seconds', '0')).toMatch(/unary[\s\S]*--seconds 0: a whole number/);
    expect(refusal('--proxies', ',')).toContain('names nothing');
    expect(refusal('--rounds', '1e9')).toContain('--rounds 1e9');
    expect(refusal('--fast')).toContain('--fast');
    expect(refusal('--all', '--cases', 'start')).toContain('exclude each other');
  });

  it('are explained with every case and proxy', () => {
    expect(parseArguments(['--help'])).toEqual({ kind: 'help' });
    for (const { name } of [...allCases, ...proxyKinds]) expect(usage).toContain(name);
  });
});

describe('the targets of the benchmark', () => {
  it('speak of cases and proxies that exist', () => {
    const cases = allCases.map(({ name }) => name);
    const proxies = proxyKinds.map(({ name }) => name);
    for (const target of targets) {
      expect(cases).toEqual(expect.arrayContaining([...target.cases]));
      if (target.peer !== undefined) expect(proxies).toContain(target.peer);
    }
  });
});
