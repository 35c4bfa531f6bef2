/**
 * The processes of a benchmark: each started on its own core, each ended when the benchmark ends, however it ends.
 * They hold no state worth saving, so the end is SIGKILL: no benchmark may hang on a proxy that drains.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Where proxies and load run; null where the machine cannot pin (one core, or no taskset). */
export interface Cores {
  readonly proxy: number | null;
  readonly load: number | null;
}

export interface StartOptions {
  readonly core: number | null;
  readonly env?: Record<string, string>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const keptOutputMax = 64 * 1024;

export class Child {
  readonly pid: number;
  /** The last of what it printed, both streams, for the message when it fails. */
  output = '';
  readonly exited: Promise<Exit>;
  exit: Exit | null = null;
  private readonly process: ChildProcess;
  private readonly lineWatchers: ((line: string) => void)[] = [];
  private partialLine = '';

  constructor(name: string, process: ChildProcess) {
    this.process = process;
    this.exited = new Promise((resolve, reject) => {
      process.once('error', (cause) => reject(new Error(`cannot start ${name}: ${cause.message}`, { cause })));
      // `close` and not `exit`: by then all output has been read.
      process.once('close', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    // A start that fails is reported to whoever waits; nobody waiting is no reason to crash.
    this.exited.catch(() => {});
    this.pid = process.pid ?? -1;
    process.stdout?.setEncoding('utf8').on('data', (text: string) => this.take(text, true));
    process.stderr?.setEncoding('utf8').on('data', (text: string) => this.take(text, false));
  }

  onLine(watcher: (line: string) => void): void {
    this.lineWatchers.push(watcher);
  }

  /** The first line of stdout for which `read` returns something; fails when the process ends or `deadlineMs` passes. */
  async firstLine<T>(read: (line: string) => T | null, deadlineMs: number): Promise<T> {
    const found = new Promise<T>((resolve) => {
      this.onLine((line) => {
        const value = read(line);
        if (value !== null) resolve(value);
      });
    });
    const ended = this.exited.then(({ code, signal }): never => {
      throw new Error(`it ended with ${signal ?? code}: ${this.output.trim().slice(-600)}`);
    });
    return withDeadline(Promise.race([found, ended]), deadlineMs, `no answer in ${deadlineMs} ms`);
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.exit === null && this.pid > 0) this.process.kill(signal);
  }

  async stop(): Promise<void> {
    this.kill();
    await this.exited.catch(() => {});
  }

  private take(text: string, lines: boolean): void {
    this.output = (this.output + text).slice(-keptOutputMax);
    if (!lines || this.lineWatchers.length === 0) return;
    const parts = (this.partialLine + text).split('\n');
    this.partialLine = (parts.pop() ?? '').slice(-keptOutputMax);
    for (const line of parts) for (const watcher of this.lineWatchers) watcher(line);
  }
}

export class Children {
  private readonly running = new Set<Child>();

  constructor() {
    process.on('exit', () => this.killAll());
  }

  start(command: string, args: readonly string[], options: StartOptions): Child {
    const pinned = options.core === null ? [] : ['taskset', '-c', String(options.core)];
    const [program, ...rest] = [...pinned, command, ...args];
    const child = new Child(
      command,
      spawn(program ?? command, rest, {
        env: { ...process.env, ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    this.running.add(child);
    const forget = () => this.running.delete(child);
    child.exited.then(forget, forget);
    return child;
  }

  killAll(): void {
    for (const child of this.running) child.kill();
  }

  /** Kills all and waits until they are gone, so that none is left for init to bury. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.running].map((child) => child.stop()));
  }
}

/** The first two cores this process may use, when it may pin at all. */
export function findCores(hasTaskset: boolean): Cores {
  const none = { proxy: null, load: null };
  if (!hasTaskset) return none;
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  const [proxy, load] = parseCpuList(allowed ?? '');
  return proxy === undefined || load === undefined ? none : { proxy, load };
}

/** `0-1,4` → [0, 1, 4]. */
export function parseCpuList(list: string): number[] {
  const cores: number[] = [];
  for (const range of list.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(range);
    if (match === null) continue;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    for (let core = first; core <= last; core++) cores.push(core);
  }
  return cores;
}

/** For programs that must be told their port: one that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Waits until `port` accepts a connection, or the child that should listen has ended. */
export async function untilListening(child: Child, port: number, deadlineMs: number): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  while (!(await accepts(port))) {
    if (child.exit !== null) throw new Error(`it ended at start: ${child.output.trim().slice(-600)}`);
    if (performance.now() > giveUpAt) throw new Error(`port ${port} not open after ${deadlineMs} ms`);
    await delay(5);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new Socket();
    const answer = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
    socket.connect(port, '127.0.0.1');
  });
}

export async function withDeadline<T>(promise: Promise<T>, deadlineMs: number, message: string): Promise<T> {
  const abort = new AbortController();
  const late = delay(deadlineMs, undefined, { signal: abort.signal }).then((): never => {
    throw new Error(message);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    abort.abort();
  }
}
