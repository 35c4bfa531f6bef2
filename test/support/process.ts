/**
 * Weir as the operator runs it: the built command in a process of its own. `startWeir` is for programs that stay
 * (answers once they say `listening`), `runWeir` for commands that end. Both are ended with the test process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { guardChild } from '../../control-plane/cli/child-guard.ts';
import { nodeFlags } from '../../deploy/local/node-flags.ts';
import { until } from './until.ts';

/** This file is a test's source, or part of the build. */
const above = fileURLToPath(new URL('../../', import.meta.url));
const root = basename(above) === 'dist' ? resolve(above, '..') : above;

/** Where the build is; WEIR_DIST names another than `dist`. */
export const distFolder = resolve(root, process.env.WEIR_DIST ?? 'dist');
export const weirMain = resolve(distFolder, 'control-plane/cli/main.js');

export interface LogLine {
  readonly msg?: unknown;
  readonly [field: string]: unknown;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** The log line that says the program is up; `null` waits for none. Default `listening`. */
  readonly readyMsg?: string | null;
}

export interface WeirProcess {
  readonly pid: number;
  /** The fields of the `listening` line: addresses with their real ports. */
  readonly listening: LogLine;
  /** Every JSON line so far, oldest first. */
  readonly logs: readonly LogLine[];
  /** Everything written so far, for commands whose output is not a log. */
  output(): { stdout: string; stderr: string };
  readonly exited: Promise<ProcessExit>;
  /** Waits for a log line with this msg. */
  logged(msg: string, timeoutMs?: number): Promise<LogLine>;
  /** SIGTERM (or another signal), after 10 s SIGKILL; answers how it ended. */
  stop(signal?: NodeJS.Signals): Promise<ProcessExit>;
  kill9(): Promise<ProcessExit>;
}

/** Every door of a sidecar, on a port of its own. */
export const sidecarDoors: readonly string[] = ['inbound', 'outbound', 'health', 'metrics', 'admin'].flatMap((door) => [
  `--${door}`,
  '127.0.0.1:0',
]);

/** Starts `weir <args>`. A string field of the listening line is best read with `text()`. */
export async function startWeir(args: readonly string[], options: StartOptions = {}): Promise<WeirProcess> {
  requireBuild();
  return startProgram(process.execPath, [...nodeFlags, weirMain, ...args], options);
}

/** The same for any program that logs JSON lines, e.g. a service of the demo. */
export async function startProgram(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<WeirProcess> {
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: environment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  guardChild(child);
  const logs: LogLine[] = [];
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[name] }).on('line', (line) => {
      written[name] += `${line}\n`;
      const parsed = parseLine(line);
      if (parsed) logs.push(parsed);
    });
  }
  const exited = whenExited(child);
  let ended: ProcessExit | undefined;
  exited.then((exit) => {
    ended = exit;
  });
  const title = `${args.slice(-6).join(' ')}`;
  const logged = (msg: string, timeoutMs = 10_000): Promise<LogLine> =>
    until(
      () => {
        const line = logs.find((entry) => entry.msg === msg);
        if (!line && ended) throw new EndedEarly(title, ended, written);
        return line;
      },
      { what: `"${title}" logs "${msg}"`, timeoutMs },
    );
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<ProcessExit> => {
    if (!ended) child.kill(signal);
    const force = setTimeout(() => killGroup(child), 10_000);
    const exit = await exited;
    clearTimeout(force);
    killGroup(child);
    return exit;
  };
  const kill9 = (): Promise<ProcessExit> => stop('SIGKILL');
  let listening: LogLine = {};
  if (options.readyMsg !== null) {
    const ready = logged(options.readyMsg ?? 'listening', options.timeoutMs);
    // Fail at once, with what it wrote, when it ends instead.
    const early = exited.then(async (exit) => {
      const line = logs.find((entry) => entry.msg === (options.readyMsg ?? 'listening'));
      if (line) return line;
      throw new EndedEarly(title, exit, written);
    });
    try {
      listening = await Promise.race([ready, early]);
    } catch (error) {
      await kill9();
      ready.catch(() => {});
      throw error;
    } finally {
      ready.catch(() => {});
      early.catch(() => {});
    }
  }
  return { pid: child.pid ?? 0, listening, logs, output: () => ({ ...written }), exited, logged, stop, kill9 };
}

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `weir <args>` to its end. */
export async function runWeir(
  args: readonly string[],
  options: StartOptions & { readonly input?: string } = {},
): Promise<RunResult> {
  requireBuild();
  const child = spawn(process.execPath, [...nodeFlags, weirMain, ...args], {
    cwd: options.cwd ?? root,
    env: environment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  guardChild(child);
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const timer = setTimeout(() => killGroup(child), options.timeoutMs ?? 20_000);
  const { code } = await whenExited(child);
  clearTimeout(timer);
  return { code, stdout, stderr };
}

/** A string field of a log line, with a clear failure when it is absent. */
export function text(line: LogLine, field: string): string {
  const value = line[field];
  if (typeof value !== 'string') throw new Error(`no text field "${field}" in ${JSON.stringify(line)}`);
  return value;
}

class EndedEarly extends Error {
  constructor(title: string, exit: ProcessExit, written: { stdout: string; stderr: string }) {
    super(`"${title}" ended with ${exit.code ?? exit.signal}:\n${written.stderr || written.stdout}`);
  }
}

function requireBuild(): void {
  if (!existsSync(weirMain)) throw new Error(`${weirMain} does not exist: run "npm run build" first`);
}

/** Our own WEIR_ variables must not reach the program under test. */
function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !name.startsWith('WEIR_') && !name.startsWith('VITEST') && name !== 'FORCE_COLOR' && name !== 'NODE_ENV',
  );
  return { ...Object.fromEntries(inherited), NO_COLOR: '1', ...extra };
}

function parseLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** `close`, not `exit`: only then has everything it wrote been read. A grandchild may hold the pipes: wait 500 ms. */
function whenExited(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((settle, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => settle({ code, signal }));
    child.once('exit', (code, signal) => setTimeout(() => settle({ code, signal }), 500).unref());
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Already gone, with everything it started.
  }
}
