/** The lab's command line. */
import { parseArgs } from 'node:util';
import { fleetScenarios } from './fleet/scenarios/index.ts';
import { weirName } from './policies.ts';
import { scenarios } from './scenarios/index.ts';

export interface LabOptions {
  readonly scenarios: readonly number[];
  readonly live: boolean;
  readonly json: boolean;
  readonly seeds: readonly number[];
  readonly compare: boolean;
  readonly short: boolean;
  readonly out: string;
}

export type ParsedArguments =
  | { readonly kind: 'run'; readonly options: LabOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly message: string };

const seedsMax = 100;
const defaultSeeds = 5;
const all = [...scenarios, ...fleetScenarios].sort((a, b) => a.id - b.id);
const scenarioLines = all.map(({ id, title }) => `  ${String(id).padStart(2)}  ${title}`);

export const usage = `Usage: npm run lab -- [options]

Puts policies under overload, failures and retry storms, and judges them against targets. In simulated time
(default) the sidecar's own objects run with a virtual clock, the same each time for the same seed.

  --scenario 1,7    which scenarios, of those below (default: all)
  --live            with real sidecars in real time, beside other proxies, instead of simulated ones; one seed
  --seed N          with this seed alone
  --seeds N         with seeds 1 to N, at most ${seedsMax} (default ${defaultSeeds}); what is compared takes the first
  --no-compare      only the policy "${weirName}", nothing beside it
  --short           shorter runs: to see that it works, not to measure
  --out FOLDER      where plots go (default lab-results)
  --json            end with one line of JSON
  --help            this text

Scenarios:
${scenarioLines.join('\n')}

Exit codes: 0 every target of "${weirName}" is met · 1 one is missed · 64 bad arguments · 130 interrupted.

Examples:
  npm run lab -- --scenario 1,7
  npm run lab -- --scenario 5 --seed 3 --no-compare --json`;

export function parseArguments(args: readonly string[]): ParsedArguments {
  let values: Partial<Record<'scenario' | 'seed' | 'seeds' | 'out', string>> &
    Partial<Record<'live' | 'json' | 'compare' | 'no-compare' | 'short' | 'help', boolean>>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        scenario: { type: 'string' },
        live: { type: 'boolean' },
        seed: { type: 'string' },
        seeds: { type: 'string' },
        compare: { type: 'boolean' },
        'no-compare': { type: 'boolean' },
        short: { type: 'boolean' },
        out: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    return { kind: 'refused', message: error instanceof Error ? error.message : String(error) };
  }
  if (values.help === true) return { kind: 'help' };
  const errors: string[] = [];
  if (values.seed !== undefined && values.seeds !== undefined) errors.push('--seed and --seeds exclude each other');
  if (values.compare === true && values['no-compare'] === true) {
    errors.push('--compare and --no-compare exclude each other');
  }
  const options: LabOptions = {
    scenarios: scenarioIds(values.scenario, errors),
    live: values.live === true,
    json: values.json === true,
    seeds: seedsOf(values.seed, values.seeds ?? (values.live === true ? '1' : undefined), errors),
    compare: values['no-compare'] !== true,
    short: values.short === true,
    out: values.out ?? 'lab-results',
  };
  return errors.length > 0 ? { kind: 'refused', message: errors.join('\n') } : { kind: 'run', options };
}

function scenarioIds(text: string | undefined, errors: string[]): readonly number[] {
  const known = all.map(({ id }) => id);
  if (text === undefined) return known;
  const wanted = text.split(',').map((word) => word.trim());
  const unknown = wanted.filter((word) => !known.some((id) => String(id) === word));
  if (unknown.length > 0) errors.push(`--scenario ${text}: "${unknown.join('", "')}" is none of ${known.join(', ')}`);
  return known.filter((id) => wanted.includes(String(id)));
}

function seedsOf(seed: string | undefined, seeds: string | undefined, errors: string[]): readonly number[] {
  if (seed !== undefined) return [wholeNumber('--seed', seed, 2 ** 31 - 1, errors)];
  const count = seeds === undefined ? defaultSeeds : wholeNumber('--seeds', seeds, seedsMax, errors);
  return Array.from({ length: count }, (_, i) => i + 1);
}

function wholeNumber(flag: string, text: string, max: number, errors: string[]): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  errors.push(`${flag} ${text}: a whole number from 1 to ${max}`);
  return 1;
}
