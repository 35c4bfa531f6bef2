/** Programs of a live experiment, and the lines of JSON that they say. Each is ended by its own handle, however it goes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { guardChild } from '../../../control-plane/cli/child-guard.ts';

export type Line = Readonly<Record<string, unknown>>;

const answerMs = 15_000;
const outputMax = 4096;

export class Program {
  readonly pid: number;
  readonly lines: Line[] = [];
  private readonly name: string;
  private readonly child: ChildProcess;
  private readonly watchers = new Set<(line: Line) => void>();
  private output = '';
  private hasEnded = false;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.child = child;
    this.pid = child.pid ?? -1;
    guardChild(child);
    child.on('error', (error) => this.end(error.message));
    child.on('exit', (code, signal) => this.end(String(signal ?? code)));
    child.stdin.on('error', () => {});
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (text) => this.take(text));
    }
  }

  /** The first line, said before or to come, with this `msg`. */
  said(msg: string): Promise<Line> {
    const before = this.lines.find((line) => line.msg === msg);
    if (before !== undefined) return Promise.resolve(before);
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.watchers.delete(watch);
      };
      const watch = (line: Line): void => {
        if (line.msg !== msg && line.msg !== ended) return;
        stop();
        if (line.msg === msg) resolve(line);
        else reject(new Error(`${this.name} ended (${String(line.how)}): ${this.output.trim()}`));
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`${this.name} did not say "${msg}" in ${answerMs} ms: ${this.output.trim()}`));
      }, answerMs);
      this.watchers.add(watch);
      if (this.hasEnded) watch({ msg: ended, how: 'before' });
    });
  }

  tell(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** No more input: programs that listen to it say what they have to say and end. */
  endInput(): void {
    this.child.stdin?.end();
  }

  kill(): void {
    if (!this.hasEnded) this.child.kill('SIGKILL');
  }

  get isRunning(): boolean {
    return !this.hasEnded;
  }

  private take(text: string): void {
    this.output = `${this.output}${text}\n`.slice(-outputMax);
    if (!text.startsWith('{')) return;
    let line: Line;
    try {
      line = JSON.parse(text);
    } catch {
      return;
    }
    this.lines.push(line);
    for (const watcher of this.watchers) watcher(line);
  }

  private end(how: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const watcher of this.watchers) watcher({ msg: ended, how });
  }
}

const ended = '(ended)';

export function text(line: Line, field: string): string {
  const value = line[field];
  return typeof value === 'string' ? value : '';
}
