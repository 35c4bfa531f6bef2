/** The benchmark's command line. */
import { parseArgs } from 'node:util';
import { allCases, type Case, defaultCases, loadCases } from './cases.ts';
import { defaultProxies, proxyKinds } from './proxies.ts';

export interface BenchOptions {
  readonly cases: readonly string[];
  readonly proxies: readonly string[];
  readonly seconds: number;
  readonly rounds: number;
  readonly warmUpSeconds: number;
  readonly json: boolean;
}

export type ParsedArguments =
  | { readonly kind: 'run'; readonly options: BenchOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly message: string };

const secondsMax = 600;
const roundsMax = 100;
const namesOf = (cases: readonly Case[]) => cases.map(({ name }) => name);
const caseNames = namesOf(allCases);
const proxyNames = proxyKinds.map(({ name }) => name);

const caseLines = allCases.map(
  ({ name, summary, heavy }) => `  ${name.padEnd(21)}${heavy === true ? '* ' : '  '}${summary}`,
);
const proxyLines = proxyKinds.map(({ name, summary }) => `  ${name.padEnd(23)}${summary}`);

export const usage = `Usage: npm run bench -- [options]

Measures what one request costs each proxy: CPU time of its process per request, on one core, with the load
generator and the origin on another. Rounds alternate between the proxies; the median counts. A row in which
requests failed is marked INVALID and compared with nothing. At the end stands which targets are met.

  --quick            1 round of 2 seconds instead of 3 rounds of 3
  --json             end with one line of JSON
  --cases a,b        which cases, of those below (default: all without an asterisk)
  --all              all of them
  --proxies a,b      which proxies, of those below (default: all present but weir-outbound)
  --seconds N        length of a round, 1 to ${secondsMax}
  --rounds N         rounds per case and proxy, 1 to ${roundsMax}
  --help             this text

Cases (* takes longer):
${caseLines.join('\n')}

Proxies:
${proxyLines.join('\n')}

Needs Linux, h2load and nghttpd (Debian: apt-get install nghttp2-client nghttp2-server). Peers that are not
installed are named and left out; Envoy is looked for in WEIR_BENCH_ENVOY, on PATH, and where pip puts it.

Examples:
  npm run bench -- --quick --cases unary-10x20 --proxies weir,haproxy
  npm run bench -- --cases tls-unary-10x20,tls-body10k-4x10 --rounds 5
  npm run bench -- --all --json > bench.txt
  npm run bench:profile -- --case unary-50x1`;

export function parseArguments(args: readonly string[]): ParsedArguments {
  let values: { quick?: boolean; json?: boolean; all?: boolean; help?: boolean } & Partial<
    Record<'cases' | 'proxies' | 'seconds' | 'rounds', string>
  >;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean' },
        json: { type: 'boolean' },
        all: { type: 'boolean' },
        cases: { type: 'string' },
        proxies: { type: 'string' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    return { kind: 'refused', message: error instanceof Error ? error.message : String(error) };
  }
  if (values.help === true) return { kind: 'help' };
  const quick = values.quick === true;
  const errors: string[] = [];
  if (values.all === true && values.cases !== undefined) errors.push('--all and --cases exclude each other');
  const casesByDefault = values.all === true ? caseNames : namesOf(defaultCases);
  const options = {
    cases: pickNames('--cases', values.cases, caseNames, casesByDefault, errors),
    proxies: pickNames('--proxies', values.proxies, proxyNames, defaultProxies, errors),
    seconds: wholeNumber('--seconds', values.seconds, quick ? 2 : 3, secondsMax, errors),
    rounds: wholeNumber('--rounds', values.rounds, quick ? 1 : 3, roundsMax, errors),
    warmUpSeconds: 1,
    json: values.json === true,
  };
  return errors.length > 0 ? { kind: 'refused', message: errors.join('\n') } : { kind: 'run', options };
}

/** Starting a proxy, and the short run for p99. */
const overheadSeconds = 1.5;
const otherCaseSeconds = 20;

/** About how long a run takes with that many proxies. */
export function estimateMinutes({ cases, seconds, rounds, warmUpSeconds }: BenchOptions, proxies: number): number {
  const loads = loadCases.filter(({ name }) => cases.includes(name)).length;
  const perLoad = warmUpSeconds + overheadSeconds + rounds * seconds;
  return (proxies * (loads * perLoad + (cases.length - loads) * otherCaseSeconds)) / 60;
}

/** In the order of the table, each once. */
export function pickNames(
  flag: string,
  text: string | undefined,
  known: readonly string[],
  byDefault: readonly string[],
  errors: string[],
): readonly string[] {
  if (text === undefined) return byDefault;
  const wanted = text.split(',').filter((name) => name !== '');
  const unknown = wanted.filter((name) => !known.includes(name));
  if (wanted.length === 0) errors.push(`${flag} names nothing; it takes ${known.join(', ')}`);
  if (unknown.length > 0) errors.push(`${flag} does not know ${unknown.join(', ')}; it takes ${known.join(', ')}`);
  return known.filter((name) => wanted.includes(name));
}

export function wholeNumber(
  flag: string,
  text: string | undefined,
  byDefault: number,
  max: number,
  errors: string[],
): number {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  errors.push(`${flag} ${text}: a whole number from 1 to ${max}`);
  return byDefault;
}
