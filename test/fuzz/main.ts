/**
 * The fuzzer's supervisor. `npm run fuzz -- --help` says what it takes. Exit codes: 0 nothing found · 1 a finding, written
 * to test/fuzz/findings · 64 bad arguments · 130 interrupted.
 */
import { Worker } from 'node:worker_threads';
import { programFile } from '../bench/tools.ts';
import { type FuzzOptions, parseFuzzArguments, type TargetName, usage } from './arguments.ts';
import { addToCorpus, writeFinding } from './corpus.ts';
import type { WorkerMessage } from './messages.ts';
import { inputBytesMax } from './target.ts';

/** A run that is not over after this never will be. */
const hangMs = 20_000;
const watchMs = 1000;

let isInterrupted = false;
let stopWorker: () => void = () => {};

const parsed = parseFuzzArguments(process.argv.slice(2), Date.now() % 1_000_000_000);
if (parsed.kind === 'help') console.log(usage);
else if (parsed.kind === 'refused') {
  console.error(`${parsed.message}\nnpm run fuzz -- --help shows what it takes.`);
  process.exitCode = 64;
} else {
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.exitCode = await run(parsed.options);
}

function interrupt(): void {
  if (isInterrupted) process.exit(130);
  isInterrupted = true;
  stopWorker();
}

async function run(options: FuzzOptions): Promise<number> {
  console.log(`fuzzing ${options.targets.join(', ')} for ${options.seconds} s, seed ${options.seed}`);
  for (const target of options.targets) {
    const isClean = await fuzz(target, options.seconds / options.targets.length, options);
    if (!isClean) return 1;
    if (isInterrupted) return 130;
  }
  console.log('nothing found');
  return 0;
}

/** False on a finding. */
function fuzz(target: TargetName, seconds: number, options: FuzzOptions): Promise<boolean> {
  const current = new SharedArrayBuffer(inputBytesMax);
  const state = new SharedArrayBuffer(12);
  const numbers = new Int32Array(state);
  const order = { target, seconds, seed: options.seed, keep: options.keep, current, state };
  const worker = new Worker(programFile('test/fuzz/fuzz-worker.js'), { workerData: order });
  stopWorker = () => Atomics.store(numbers, 2, 1);

  return new Promise((resolve) => {
    let isOver = false;
    const end = (isClean: boolean): void => {
      if (isOver) return;
      isOver = true;
      clearInterval(watchdog);
      void worker.terminate().then(() => resolve(isClean));
    };
    const found = (input: Uint8Array, message: string, stack: string): void => {
      const file = writeFinding(target, input);
      console.error(
        `\nFOUND in ${target}: ${message}\n${stack}\ninput: ${file} (${input.length} bytes), seed ${options.seed}`,
      );
      end(false);
    };
    const momentary = (): Uint8Array => Uint8Array.from(new Uint8Array(current).subarray(0, Atomics.load(numbers, 1)));
    let runs = 0;
    let runsAtMs = performance.now();
    const watchdog = setInterval(() => {
      const now = Atomics.load(numbers, 0);
      if (now !== runs) {
        runs = now;
        runsAtMs = performance.now();
      } else if (performance.now() - runsAtMs > hangMs) found(momentary(), `a run of more than ${hangMs} ms`, '');
    }, watchMs);
    worker.on('message', (message: WorkerMessage) => {
      switch (message.kind) {
        case 'progress': {
          const { executions, inputs, features, elapsedMs } = message;
          const rate = Math.round((executions * 1000) / elapsedMs);
          progress(
            `${target}: ${Math.round(elapsedMs / 1000)} s, ${executions} runs (${rate}/s), ${inputs} inputs, ${features} features`,
          );
          return;
        }
        case 'finding':
          return found(message.input, message.message, message.stack);
        case 'done': {
          const added = addToCorpus(target, message.keep);
          const kept = options.keep ? `, ${added} kept` : '';
          progress(
            `${target}: ${message.executions} runs, ${message.inputs} inputs, ${message.features} features${kept}`,
          );
          process.stdout.write('\n');
          end(true);
        }
      }
    });
    worker.on('error', (error) => found(momentary(), `uncaught: ${error.message}`, error.stack ?? ''));
    worker.on('exit', () => end(true));
  });
}

/** One line that renews itself on a terminal, one line after the other elsewhere. */
function progress(line: string): void {
  process.stdout.write(process.stdout.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
}
