/** From the words after `weir` to an exit code: find the command, parse, run, say what went wrong. */
import { parseArguments } from './arguments.ts';
import { type Command, commandHelp } from './command.ts';
import { commands } from './commands.ts';
import type { Context } from './context.ts';
import { CommandError, ExitCode } from './exit-codes.ts';
import { paintFor } from './style.ts';

export interface RunHooks {
  beforeCommand?(): void;
}

export async function run(argv: readonly string[], context: Context, hooks: RunHooks = {}): Promise<number> {
  const [first, ...rest] = argv;
  try {
    if (first === undefined) {
      const { overview } = await import('./commands/overview.ts');
      hooks.beforeCommand?.();
      return await overview(context);
    }
    if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
      context.stdout.write(topLevelHelp());
      return ExitCode.ok;
    }
    if (first === 'help') return await run([rest[0]!, '--help'], context, hooks);
    const name = first === '--version' || first === '-v' ? 'version' : first;
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!entry) return await unknownCommand(name, context);
    if ('program' in entry) return await (await entry.program()).start(rest, context);
    hooks.beforeCommand?.();
    return await runCommand(name, await entry.load(), rest, context);
  } catch (error) {
    return report(error, context);
  }
}

async function runCommand(
  name: string,
  command: Command,
  argv: readonly string[],
  context: Context,
): Promise<ExitCode> {
  const parsed = parseArguments(command, argv);
  if (!parsed.ok) {
    for (const error of parsed.errors) context.stderr.write(`weir ${name}: ${error}\n`);
    context.stderr.write(`See "weir ${name} --help".\n`);
    return ExitCode.usage;
  }
  if (parsed.help) {
    context.stdout.write(commandHelp(command));
    return ExitCode.ok;
  }
  return command.run(context, parsed.arguments);
}

function report(error: unknown, context: Context): ExitCode {
  if (!(error instanceof CommandError)) throw error;
  const paint = paintFor(context, context.stderr);
  if (error.exitCode !== ExitCode.interrupted) {
    context.stderr.write(`${paint('red', 'error:')} ${error.message}\n`);
    if (error.hint) context.stderr.write(`${paint('dim', 'hint:')} ${error.hint}\n`);
  }
  return error.exitCode;
}

async function unknownCommand(name: string, context: Context): Promise<ExitCode> {
  const { nearest } = await import('../../proto/policy/problems.ts');
  const near = nearest(name, Object.keys(commands));
  context.stderr.write(`weir: unknown command "${name}"${near ? `; did you mean "${near}"?` : ''}\n`);
  context.stderr.write('See "weir --help".\n');
  return ExitCode.usage;
}

export function topLevelHelp(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  return [
    'Weir, a service mesh for backpressure.',
    '',
    'Usage: weir <command> [arguments] [flags]',
    '       weir                              the state of the mesh',
    '',
    'Commands:',
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Examples:',
    '  weir dev                                                     a control plane here, now',
    '  weir sidecar --app 127.0.0.1:8080 --policy policy.yaml       protect one service, nothing else needed',
    '  weir get services -w                                         watch the mesh',
    '  weir apply -f policy.yaml',
    '',
    'Exit codes: 0 ok, 1 differences or a failed check, 2 usage, 3 unreachable, 4 denied, 5 conflict,',
    '            6 not valid, 7 timed out, 130 interrupted.',
    'Every command explains itself with --help.',
    '',
  ].join('\n');
}
