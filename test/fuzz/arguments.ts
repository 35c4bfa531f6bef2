/** The fuzzer's command line. */
import { parseArgs } from 'node:util';

export const targetNames = ['connection', 'hpack', 'http1'] as const;
export type TargetName = (typeof targetNames)[number];

export interface FuzzOptions {
  readonly seconds: number;
  readonly targets: readonly TargetName[];
  readonly seed: number;
  /** Keep the inputs that showed something new. */
  readonly keep: boolean;
}

export type ParsedFuzzArguments =
  | { readonly kind: 'run'; readonly options: FuzzOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly message: string };

const secondsMax = 86_400;

export const usage = `Usage: npm run fuzz -- [options]

Throws changed inputs at the HTTP/2 engine, HPACK and the HTTP/1.1 listener, and keeps changing those that make something
new happen. A finding is written to test/fuzz/findings, as small as it gets, and ends the run with 1.

  --seconds N        how long, all targets together (default: 60)
  --target name      ${targetNames.join(', ')} (default: all, one after the other)
  --seed N           the dice's; the same seed and corpus take the same course (default: by the clock)
  --keep             add what was new to the corpus in test/fuzz/corpus
  --help             this text`;

export function parseFuzzArguments(args: readonly string[], clockSeed: number): ParsedFuzzArguments {
  let values: { seconds?: string; target?: string; seed?: string; keep?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        seconds: { type: 'string' },
        target: { type: 'string' },
        seed: { type: 'string' },
        keep: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    return { kind: 'refused', message: error instanceof Error ? error.message : String(error) };
  }
  if (values.help === true) return { kind: 'help' };
  const { seconds = '60', target, seed = String(clockSeed) } = values;
  const errors: string[] = [];
  if (!/^[1-9]\d{0,5}$/.test(seconds) || Number(seconds) > secondsMax) {
    errors.push(`--seconds ${seconds}: a whole number from 1 to ${secondsMax}`);
  }
  if (!/^\d{1,10}$/.test(seed)) errors.push(`--seed ${seed}: a whole number`);
  const targets = targetNames.filter((name) => target === undefined || name === target);
  if (targets.length === 0) errors.push(`--target ${target}: one of ${targetNames.join(', ')}`);
  if (errors.length > 0) return { kind: 'refused', message: errors.join('\n') };
  const options = { seconds: Number(seconds), targets, seed: Number(seed), keep: values.keep === true };
  return { kind: 'run', options };
}
