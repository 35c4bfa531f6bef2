/**
 * A program's settings from flags over environment over file, checked against one definition, with every error at
 * once. Pure: argv, environment and the parsed file come in as values, so the same definition gives the help text,
 * and the tests of a start-up need no process.
 *
 *     const definition = defineOptions({
 *       listen: { kind: 'hostPort', default: '127.0.0.1:15080', description: 'Where the API listens.' },
 *     });
 *     const parsed = parseOptions(definition, { argv, env, file });
 *
 * The option `natsTokenFile` is `--nats-token-file`, `WEIR_NATS_TOKEN_FILE` and `natsTokenFile:` in the file.
 */
import { convert, type HostPort, type ListenAddress, type Option } from './option-values.ts';

export type { HostPort, ListenAddress, Option } from './option-values.ts';
export { formatHostPort, isLoopbackHost } from './option-values.ts';

export type Options = Readonly<Record<string, Option>>;

type Parsed<O extends Option> = O extends { kind: 'integer' | 'number' | 'duration' | 'size' }
  ? number
  : O extends { kind: 'boolean' }
    ? boolean
    : O extends { kind: 'hostPort' }
      ? HostPort
      : O extends { kind: 'listen' }
        ? ListenAddress
        : O extends { kind: 'choice'; choices: readonly (infer Choice)[] }
          ? Choice
          : O extends { kind: 'list' }
            ? readonly string[]
            : string;

type Present<O extends Option> = O extends
  | { kind: 'list' }
  | { required: true }
  | { default: string | number | boolean }
  ? Parsed<O>
  : Parsed<O> | undefined;

/** The typed configuration: optional settings without a default may be undefined, lists never are. */
export type OptionValues<D extends Options> = { readonly [Name in keyof D]: Present<D[Name]> };

export function defineOptions<const D extends Options>(definition: D): D {
  return definition;
}

export interface OptionSources {
  /** Without the program's own name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The parsed configuration file: an object with the options' names; undefined when there is none. */
  readonly file?: unknown;
}

export type ParsedOptions<D extends Options> =
  | { readonly ok: true; readonly help: false; readonly values: OptionValues<D> }
  | { readonly ok: true; readonly help: true }
  | { readonly ok: false; readonly errors: readonly string[] };

export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
export const envOf = (name: string): string => `WEIR_${flagOf(name).slice(2).replaceAll('-', '_').toUpperCase()}`;

export function parseOptions<D extends Options>(definition: D, sources: OptionSources): ParsedOptions<D> {
  const errors: string[] = [];
  const flags = readFlags(definition, sources.argv, errors);
  if (flags === 'help') return { ok: true, help: true };
  const file = readFile(definition, sources.file, errors);
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(definition)) {
    const [given, from] = pick(name, option, flags, sources.env, file);
    if (given === undefined) {
      if (option.required) errors.push(`${flagOf(name)} is required (${option.description})`);
      values[name] = option.kind === 'list' ? [] : undefined;
      continue;
    }
    const converted = convert(option, given);
    if (converted.ok) values[name] = converted.value;
    else errors.push(`${from}: ${converted.message}`);
  }
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, help: false, values: assembled(definition, values) };
}

/** One option's text before the rest is read: for `--config`, which says where the file is. */
export function peekOption(name: string, { argv, env }: Pick<OptionSources, 'argv' | 'env'>): string | undefined {
  const flag = flagOf(name);
  for (let i = argv.length - 1; i >= 0; i--) {
    const argument = argv[i]!;
    if (argument === flag) return argv[i + 1];
    if (argument.startsWith(`${flag}=`)) return argument.slice(flag.length + 1);
  }
  return env[envOf(name)] || undefined;
}

/** The text of `--help`. */
export function helpText(program: string, definition: Options, examples: readonly string[] = []): string {
  const rows = Object.entries(definition).map(([name, option]) => {
    const left =
      option.kind === 'boolean' ? flagOf(name) : `${flagOf(name)} ${option.placeholder ?? placeholder(option)}`;
    const fallback = 'default' in option && option.default !== undefined ? ` (default ${option.default})` : '';
    const repeated = option.kind === 'list' ? ' Repeatable.' : '';
    return [left, `${option.description}${repeated}${fallback}`] as const;
  });
  const width = Math.min(38, Math.max(...rows.map(([left]) => left.length)));
  const lines = rows.flatMap(([left, right]) =>
    left.length > width ? [`  ${left}`, `  ${''.padEnd(width)}  ${right}`] : [`  ${left.padEnd(width)}  ${right}`],
  );
  return [
    `Usage: ${program} [options]`,
    '',
    'Options:',
    ...lines,
    '',
    `Every option may also be set in the environment (${envOf(Object.keys(definition)[0] ?? 'config')}, …)` +
      ('config' in definition ? ' or in the file given with --config (camelCase names).' : '.'),
    ...(examples.length > 0 ? ['', 'Examples:', ...examples.map((example) => `  ${example}`)] : []),
    '',
  ].join('\n');
}

function placeholder(option: Option): string {
  if (option.kind === 'choice') return option.choices.join('|');
  if (option.kind === 'hostPort') return 'host:port';
  if (option.kind === 'listen') return 'host:port|unix:path';
  return `<${option.kind === 'list' ? 'value' : option.kind}>`;
}

/** Values by option name; a flag given twice is an error unless it is a list. */
function readFlags(definition: Options, argv: readonly string[], errors: string[]): Map<string, string[]> | 'help' {
  const byFlag = new Map(Object.keys(definition).map((name) => [flagOf(name), name]));
  const found = new Map<string, string[]>();
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    if (argument === '--help' || argument === '-h') return 'help';
    const equals = argument.indexOf('=');
    const flag = equals > 0 ? argument.slice(0, equals) : argument;
    const negated = flag.startsWith('--no-') ? byFlag.get(`--${flag.slice(5)}`) : undefined;
    const name =
      byFlag.get(flag) ?? (negated !== undefined && definition[negated]?.kind === 'boolean' ? negated : undefined);
    if (name === undefined) {
      errors.push(unknownFlag(argument, flag, [...byFlag.keys()]));
      // The word after an unknown flag is most likely its value, not a second mistake.
      if (flag.startsWith('--') && equals < 0 && argv[i + 1]?.startsWith('-') === false) i++;
      continue;
    }
    const option = definition[name]!;
    let value: string | undefined;
    if (equals > 0) value = argument.slice(equals + 1);
    else if (option.kind === 'boolean') value = byFlag.has(flag) ? 'true' : 'false';
    else value = argv[++i];
    if (value === undefined) {
      errors.push(`${flag} needs a value`);
      continue;
    }
    const values = found.get(name) ?? [];
    if (values.length > 0 && option.kind !== 'list') errors.push(`${flag} is given twice`);
    values.push(value);
    found.set(name, values);
  }
  return found;
}

function unknownFlag(argument: string, flag: string, known: readonly string[]): string {
  if (!flag.startsWith('-')) return `unexpected argument "${argument}"`;
  const bare = flag.replaceAll('-', '');
  const near = known.find((other) => {
    const candidate = other.replaceAll('-', '');
    return candidate === bare || (bare.length >= 4 && (candidate.startsWith(bare) || bare.startsWith(candidate)));
  });
  return `unknown flag ${flag}${near ? `; did you mean ${near}?` : ''}`;
}

function readFile(definition: Options, file: unknown, errors: string[]): ReadonlyMap<string, unknown> {
  if (file === undefined || file === null) return new Map();
  if (typeof file !== 'object' || Array.isArray(file)) {
    errors.push('the configuration file must be a mapping of option names to values');
    return new Map();
  }
  const entries = Object.entries(file).filter(([name]) => {
    const known = Object.hasOwn(definition, name) && name !== 'config';
    if (!known) errors.push(`the configuration file sets "${name}", which is no option`);
    return known;
  });
  return new Map(entries);
}

/** The first source that sets the option, and how to name it in an error. */
function pick(
  name: string,
  option: Option,
  flags: ReadonlyMap<string, string[]>,
  env: OptionSources['env'],
  file: ReadonlyMap<string, unknown>,
): readonly [unknown, string] {
  const isList = option.kind === 'list';
  const flag = flags.get(name);
  if (flag) return [isList ? flag : flag.at(-1), flagOf(name)];
  const variable = env[envOf(name)];
  if (variable !== undefined && variable !== '') {
    return [isList ? variable.split(',').map((item) => item.trim()) : variable, envOf(name)];
  }
  const inFile = file.get(name);
  if (inFile !== undefined && inFile !== null) return [inFile, `"${name}" in the configuration file`];
  return ['default' in option ? option.default : undefined, `the default of ${flagOf(name)}`];
}

/** `values` was filled by `convert` from the same definition, entry by entry; this is where TypeScript is told so. */
function assembled<D extends Options>(definition: D, values: Record<string, unknown>): OptionValues<D>;
function assembled(_definition: Options, values: Record<string, unknown>): Record<string, unknown> {
  return values;
}
