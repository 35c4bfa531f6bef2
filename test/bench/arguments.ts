/** The benchmark's command line. */
import { parseArgs } from 'node:util';
import { cases, idleCase } from './cases.ts';
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
const caseNames = [idleCase, ...cases.map(({ name }) => name)];
const proxyNames = proxyKinds.map(({ name }) => name);

export const usage = `Usage: npm run bench -- [options]

Measures what one request costs each proxy: CPU time of its process per request, on one core, with the load
generator and the origin on another. Rounds alternate between the proxies; the median counts.

  --quick            1 round of 2 seconds instead of 3 rounds of 5
  --json             end with one line of JSON
  --cases a,b        ${caseNames.join(', ')} (default: all)
  --proxies a,b      ${proxyNames.join(', ')}
                     (default: ${defaultProxies.join(', ')})
  --seconds N        length of a round, 1 to ${secondsMax}
  --rounds N         rounds per case and proxy, 1 to ${roundsMax}
  --help             this text

Needs Linux, h2load and nghttpd (Debian: apt-get install nghttp2-client nghttp2-server); haproxy takes part where it
is installed.

  npm run bench -- --quick --cases unary-10x20 --proxies weir,haproxy`;

export function parseArguments(args: readonly string[]): ParsedArguments {
  let values: { quick?: boolean; json?: boolean; help?: boolean } & Partial<
    Record<'cases' | 'proxies' | 'seconds' | 'rounds', string>
  >;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean' },
        json: { type: 'boolean' },
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
  const options = {
    cases: names('--cases', values.cases, caseNames, caseNames, errors),
    proxies: names('--proxies', values.proxies, proxyNames, defaultProxies, errors),
    seconds: wholeNumber('--seconds', values.seconds, quick ? 2 : 5, secondsMax, errors),
    rounds: wholeNumber('--rounds', values.rounds, quick ? 1 : 3, roundsMax, errors),
    warmUpSeconds: quick ? 1 : 2,
    json: values.json === true,
  };
  return errors.length > 0 ? { kind: 'refused', message: errors.join('\n') } : { kind: 'run', options };
}

function names(
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
  // In the order of the table, each once.
  return known.filter((name) => wanted.includes(name));
}

function wholeNumber(flag: string, text: string | undefined, byDefault: number, max: number, errors: string[]): number {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  errors.push(`${flag} ${text}: a whole number from 1 to ${max}`);
  return byDefault;
}
