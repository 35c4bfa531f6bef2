/**
 * The command line of one command: positionals and flags in any order, `--flag value`, `--flag=value`, `-o json`,
 * `-ojson`, and `--` for "no flags from here on". Pure, with every mistake at once. The daemons read theirs with
 * proto/kernel/options.ts (flags, environment, file); a command has short flags and positionals instead. A library
 * would cost more start-up time than `weir drain` takes.
 */
import { parseDuration } from '../../proto/kernel/duration.ts';

export interface Flag {
  readonly kind: 'boolean' | 'text' | 'list' | 'duration' | 'choice';
  readonly description: string;
  readonly short?: string;
  readonly choices?: readonly string[];
  /** As it would be written; shown in the help. */
  readonly default?: string;
  readonly placeholder?: string;
}

export type Flags = Readonly<Record<string, Flag>>;

export interface ArgumentsDefinition {
  readonly flags: Flags;
  /** How many positionals at most. */
  readonly positionalsMax: number;
}

export interface Arguments {
  readonly positionals: readonly string[];
  flag(name: string): boolean;
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  /** Milliseconds. */
  duration(name: string): number | undefined;
}

export type ParsedArguments =
  | { readonly ok: true; readonly help: boolean; readonly arguments: Arguments }
  | { readonly ok: false; readonly errors: readonly string[] };

export function parseArguments(definition: ArgumentsDefinition, argv: readonly string[]): ParsedArguments {
  const errors: string[] = [];
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  let help = false;
  let flagsEnded = false;
  const set = (name: string, shown: string, value: string | undefined): void => {
    const flag = definition.flags[name]!;
    if (value === undefined) {
      errors.push(`${shown} needs a value`);
      return;
    }
    const wrong = wrongValue(flag, value);
    if (wrong) errors.push(`${shown}: ${wrong}`);
    const given = values.get(name) ?? [];
    if (given.length > 0 && flag.kind !== 'list') errors.push(`${shown} is given twice`);
    values.set(name, [...given, value]);
  };
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    // A lone dash is standard input, a positional or a value.
    if (flagsEnded || word === '-' || !word.startsWith('-')) positionals.push(word);
    else if (word === '--') flagsEnded = true;
    else if (word === '--help' || word === '-h') help = true;
    else {
      const { shown, inline, name } = splitFlag(definition.flags, word);
      if (name === undefined) {
        errors.push(`unknown flag ${shown}`);
        // What follows is most likely its value.
        if (inline === undefined && argv[at + 1]?.startsWith('-') === false) at++;
      } else if (definition.flags[name]?.kind === 'boolean') {
        if (inline !== undefined && inline !== 'true' && inline !== 'false') errors.push(`${shown} takes no value`);
        set(name, shown, inline ?? 'true');
      } else set(name, shown, inline ?? argv[++at]);
    }
  }
  if (positionals.length > definition.positionalsMax) {
    errors.push(`unexpected argument "${positionals[definition.positionalsMax]}"`);
  }
  if (!help && errors.length > 0) return { ok: false, errors };
  return { ok: true, help, arguments: reader(definition.flags, positionals, values) };
}

function splitFlag(flags: Flags, word: string): { shown: string; inline?: string; name: string | undefined } {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=');
    const shown = equals < 0 ? word : word.slice(0, equals);
    const name = Object.hasOwn(flags, shown.slice(2)) ? shown.slice(2) : undefined;
    return equals < 0 ? { shown, name } : { shown, name, inline: word.slice(equals + 1) };
  }
  const shown = word.slice(0, 2);
  const name = Object.keys(flags).find((candidate) => flags[candidate]?.short === shown[1]);
  return word.length === 2 ? { shown, name } : { shown, name, inline: word.slice(word[2] === '=' ? 3 : 2) };
}

function wrongValue(flag: Flag, value: string): string | undefined {
  if (flag.kind === 'choice' && !flag.choices?.includes(value)) {
    return `"${value}" is none of ${flag.choices?.join(', ')}`;
  }
  if (flag.kind === 'duration' && parseDuration(value) === undefined) {
    return `"${value}" is not a duration such as 500ms, 30s or 1m30s`;
  }
  return value === '' ? 'the value is empty' : undefined;
}

function reader(flags: Flags, positionals: readonly string[], values: ReadonlyMap<string, string[]>): Arguments {
  const text = (name: string): string | undefined => values.get(name)?.at(-1) ?? flags[name]?.default;
  return {
    positionals,
    text,
    flag: (name) => text(name) === 'true',
    list: (name) => values.get(name) ?? [],
    duration: (name) => parseDuration(text(name) ?? ''),
  };
}
