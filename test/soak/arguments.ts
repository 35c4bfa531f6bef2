/** The soak's command line. */
import { parseArgs } from 'node:util';

export type ParsedSoakArguments =
  | { readonly kind: 'run'; readonly minutes: number; readonly json: boolean }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly message: string };

const minutesMax = 24 * 60;

export const usage = `Usage: npm run soak -- [options]

Two sidecars in a row under a mixed load of real clients: gRPC calls of every kind, cancels, deadlines, slow readers,
resets, reconnects, GOAWAYs, half a preface and rubbish, HTTP/1.1. Then all load stops, and everything must be back where
it was: heap within 5 %, handles, streams, buffers, credit. The rates are bounded: other work can go on beside it.

  --minutes N        how long the load lasts, warm-up apart (default: 5)
  --json             end with one line of JSON
  --help             this text`;

export function parseSoakArguments(args: readonly string[]): ParsedSoakArguments {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string', default: '5' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    const minutes = Number(values.minutes);
    if (/^\d+(\.\d+)?$/.test(values.minutes) && minutes > 0 && minutes <= minutesMax) {
      return { kind: 'run', minutes, json: values.json };
    }
    return { kind: 'refused', message: `--minutes ${values.minutes}: a number above 0, up to ${minutesMax}` };
  } catch (error) {
    return { kind: 'refused', message: error instanceof Error ? error.message : String(error) };
  }
}
