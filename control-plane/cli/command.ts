/** What a command is, and its help, which is made from the same definition as its parsing. */
import type { Arguments, Flag, Flags } from './arguments.ts';
import type { Context } from './context.ts';
import type { ExitCode } from './exit-codes.ts';

export interface Command {
  /** `weir get services|instances|policies [name] [flags]`, without the flags. */
  readonly usage: string;
  /** What it does, in a few sentences. */
  readonly description: string;
  readonly flags: Flags;
  readonly positionalsMax: number;
  readonly examples: readonly string[];
  run(context: Context, given: Arguments): Promise<ExitCode>;
}

/** A program with its own options, which starts with all the arguments untouched, `--help` too. */
export interface Program {
  start(argv: readonly string[], context: Context): Promise<number>;
}

/** A line of the top-level help; the rest is loaded when it is called. */
export type CommandEntry = { readonly summary: string } & (
  | { readonly load: () => Promise<Command> }
  | { readonly program: () => Promise<Program> }
);

export function commandHelp(command: Command): string {
  const rows = Object.entries(command.flags).map(([name, flag]) => [flagColumn(name, flag), flagText(flag)] as const);
  rows.push(['-h, --help', 'Show this help.']);
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    command.description,
    '',
    `Usage: ${command.usage}${rows.length > 0 ? ' [flags]' : ''}`,
    '',
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
    '',
    'Flags:',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    '',
  ].join('\n');
}

function flagColumn(name: string, flag: Flag): string {
  const short = flag.short ? `-${flag.short}, ` : '    ';
  const value = flag.kind === 'boolean' ? '' : ` ${flag.choices?.join('|') ?? flag.placeholder ?? flag.kind}`;
  return `${short}--${name}${value}`;
}

function flagText(flag: Flag): string {
  return `${flag.description}${flag.default === undefined ? '' : ` Default ${flag.default}.`}`;
}

/** For every command that talks to a control plane. */
export const serverFlags = {
  server: {
    kind: 'text',
    description: 'The control plane (or WEIR_SERVER; default http://127.0.0.1:15080).',
    placeholder: 'url',
  },
  'token-file': {
    kind: 'text',
    description: 'File with the API token (or the token itself in WEIR_API_TOKEN).',
    placeholder: 'file',
  },
  timeout: { kind: 'duration', description: 'How long to wait for one answer.', default: '10s' },
} as const satisfies Flags;

export const namespaceFlag = {
  namespace: { kind: 'text', short: 'n', description: 'Only this namespace.', placeholder: 'name' },
} as const satisfies Flags;

export const fileFlag = {
  file: {
    kind: 'list',
    short: 'f',
    description: 'Policy document(s), YAML or JSON; "-" is standard input. Repeatable.',
    placeholder: 'file|-',
  },
} as const satisfies Flags;
