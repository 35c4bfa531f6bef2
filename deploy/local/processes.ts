/**
 * The demo's children: started in parallel, each logging into a file of its own, ended in reverse order of their
 * tiers, and only they: every signal goes to a pid that was spawned here. Children get a process group of their own,
 * so that Ctrl-C in a terminal reaches the demo alone and the order stays ours.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { guardChild } from '../../control-plane/cli/child-guard.ts';
import { nodeEnvironment } from './node-flags.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnSpec {
  /** Unique; names the log file. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Lower tiers are started first by whoever starts them, and stopped last. */
  readonly tier: number;
}

/** Time for a child to end by itself before it is killed. */
const graceMs = 3_000;

export class Child {
  readonly spec: SpawnSpec;
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly logFile: string;
  private readonly waiters: ((line: Record<string, unknown>) => void)[] = [];
  private listeningLine: Record<string, unknown> | undefined;
  private exit: Exit | undefined;
  private expected = false;

  constructor(spec: SpawnSpec, logFile: string, onUnexpectedExit: (child: Child, exit: Exit) => void) {
    this.spec = spec;
    this.logFile = logFile;
    // A restarted child goes on in the same file.
    const log = createWriteStream(logFile, { flags: 'a' });
    this.child = spawn(spec.command, spec.args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: environment(),
    });
    // Whatever ends us, -9 included, ends it too.
    guardChild(this.child);
    // Writing to a child that died says EPIPE; its exit is reported below.
    this.child.stdin?.on('error', () => {});
    this.follow(log);
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        if (this.exit !== undefined) return;
        this.exit = exit;
        log.end();
        if (!this.expected) onUnexpectedExit(this, exit);
        resolve(exit);
      };
      this.child.once('error', (error) => {
        log.write(`${String(error)}\n`);
        end({ code: 127, signal: null });
      });
      this.child.once('exit', (code, signal) => end({ code, signal }));
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.exit === undefined;
  }

  /** The one `{"msg":"listening", …}` line that Weir's programs and the demo's services print once they serve. */
  async listening(timeoutMs: number): Promise<Record<string, unknown>> {
    if (this.listeningLine) return this.listeningLine;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.spec.name} is not listening after ${timeoutMs} ms\n${this.tail()}`)),
        timeoutMs,
      );
      this.waiters.push((line) => {
        clearTimeout(timer);
        resolve(line);
      });
      this.exited.then((exit) => {
        clearTimeout(timer);
        reject(new Error(`${this.spec.name} ended while starting (${describe(exit)})\n${this.tail()}`));
      });
    });
  }

  /** Signals the child; from now on its end is expected. */
  kill(signal: NodeJS.Signals): void {
    this.expected = true;
    if (this.exit === undefined) this.child.kill(signal);
  }

  /** SIGTERM, and SIGKILL when that is not heard in time. */
  async stop(): Promise<void> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(timer);
  }

  /** The last lines of its log, for an error message. */
  tail(lines = 8): string {
    try {
      return readFileSync(this.logFile, 'utf8')
        .trimEnd()
        .split('\n')
        .slice(-lines)
        .map((line) => `    ${line}`)
        .join('\n');
    } catch {
      return '    (no log)';
    }
  }

  private follow(log: WriteStream): void {
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`);
        if (this.listeningLine === undefined && line.includes('"listening"')) this.hear(line);
      });
    }
  }

  private hear(line: string): void {
    const parsed = parseObject(line);
    if (parsed?.msg !== 'listening') return;
    this.listeningLine = parsed;
    for (const waiter of this.waiters.splice(0)) waiter(parsed);
  }
}

export class Processes {
  private readonly folder: string;
  private readonly onUnexpectedExit: (child: Child, exit: Exit) => void;
  private readonly children = new Set<Child>();
  private isStopping = false;
  private readonly killAll = (): void => {
    for (const child of this.children) child.kill('SIGKILL');
  };

  constructor(folder: string, onUnexpectedExit: (child: Child, exit: Exit) => void) {
    this.folder = join(folder, 'logs');
    mkdirSync(this.folder, { recursive: true });
    this.onUnexpectedExit = onUnexpectedExit;
    // The last line of defence, when something throws on the way: exit handlers may not wait.
    process.on('exit', this.killAll);
  }

  spawn(spec: SpawnSpec): Child {
    if (this.isStopping) throw new Error(`${spec.name} is not started: stopping`);
    const child = new Child(spec, join(this.folder, `${spec.name}.log`), this.onUnexpectedExit);
    this.children.add(child);
    void child.exited.then(() => this.children.delete(child));
    return child;
  }

  get running(): number {
    return this.children.size;
  }

  /** Ends all children, the highest tier first. */
  async stop(): Promise<void> {
    this.isStopping = true;
    const tiers = [...new Set([...this.children].map((child) => child.spec.tier))].sort((a, b) => b - a);
    for (const tier of tiers) {
      await Promise.all([...this.children].filter((child) => child.spec.tier === tier).map((child) => child.stop()));
    }
    process.off('exit', this.killAll);
  }
}

export function describe(exit: Exit): string {
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

/** The demo says all it means in flags; a WEIR_ variable of the user's shell must not change what it shows. */
function environment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('WEIR_'));
  return { ...Object.fromEntries(inherited), ...nodeEnvironment };
}
