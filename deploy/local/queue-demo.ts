/**
 * `weir demo queue`: a consumer that is given half as much again as it can do, and what helps: to buffer, to throttle, to
 * scale, to drop, to signal, each switched on in turn, with figures. Ends by itself; with --check the last line is one JSON
 * object, and the exit code says whether each remedy did what it is for. Nothing it started stays behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { forgetFolder, guardFolder } from '../../control-plane/cli/child-guard.ts';
import { describe, Processes } from './processes.ts';
import { offered, runPhases, type StepFigures } from './queue-phases.ts';
import { QueueRig } from './queue-rig.ts';
import { capacity } from './queue-worker.ts';

const help = `Usage: weir demo queue [options]

A producer makes ${offered} jobs a second; the consumer can do ${capacity}. Each step switches on another remedy.

Options
  --check            headless: the last line is one JSON object
  --seconds <n>      length of a step, 1 to 60 (default 4; 2 with --check)
  --help

Exit codes: 0 every remedy worked · 1 one did not · 64 wrong arguments · 70 could not start · 130 interrupted
`;

const remedies: Readonly<Record<string, string>> = {
  nothing: 'jobs go straight to the consumer',
  buffer: 'a queue between, from which its sidecar takes what it has room for',
  throttle: "the intake's sidecar admits 90 a second",
  scale: 'a second consumer takes from the same queue',
  drop: 'the queue holds 200 ms of work, and the oldest make room',
  signal: 'the consumer says pause; the full queue refuses, and the producer slows down',
};

function lineOf({ step, made, refused, done, inHandMax, waiting, dropped, waitP95Ms, ok, why }: StepFigures): string {
  const numbers = [made, refused, Math.max(0, dropped), done, inHandMax, waiting, Math.round(waitP95Ms)];
  const cells = numbers.map((one, i) => String(one).padStart([8, 9, 9, 8, 9, 9, 11][i]!)).join('');
  return `${ok ? '✓' : '✗'} ${step.padEnd(9)}${cells}   ${remedies[step] ?? ''}\n  ${' '.repeat(9)}${' '.repeat(63)}   ${why}`;
}

const heading = `  ${'remedy'.padEnd(9)}    made  refused  dropped    done  at once  waiting  p95 wait ms`;

async function main(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n\n${help}`);
    return 64;
  }
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort());
  process.stdout.on('error', () => stopping.abort());
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-demo-queue-'));
  guardFolder(dataDir);
  const processes = new Processes(dataDir, (child, exit) => {
    if (!stopping.signal.aborted) say(`! ${child.spec.name} ended by itself (${describe(exit)})\n${child.tail()}`);
  });
  let rig: QueueRig | undefined;
  try {
    rig = await QueueRig.start(processes, dataDir);
    say(
      `${offered} jobs a second for a consumer that can do ${capacity}; ${options.seconds} s for each remedy\n\n${heading}`,
    );
    const figures = await runPhases({
      rig,
      seconds: options.seconds,
      signal: stopping.signal,
      say: (step) => say(lineOf(step)),
    });
    if (stopping.signal.aborted) return 130;
    const ok = figures.every((step) => step.ok);
    if (options.check) say(JSON.stringify({ ok, offered, capacity, steps: figures }));
    return ok ? 0 : 1;
  } catch (error) {
    if (stopping.signal.aborted) return 130;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 70;
  } finally {
    if (rig) await rig.stop();
    else await processes.stop();
    rmSync(dataDir, { recursive: true, force: true });
    forgetFolder(dataDir);
  }
}

function parse(args: readonly string[]): { check: boolean; help: boolean; seconds: number } | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        seconds: { type: 'string' },
      },
    });
    const seconds = Number(values.seconds ?? (values.check ? 2 : 4));
    if (!(seconds >= 1 && seconds <= 60)) return `--seconds is a number from 1 to 60, not ${values.seconds}`;
    return { check: values.check, help: values.help, seconds };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

process.exitCode = await main(process.argv.slice(2));
