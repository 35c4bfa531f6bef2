#!/usr/bin/env -S MALLOC_TRIM_THRESHOLD_=131072 node --max-semi-space-size=6
/**
 * The `weir` command, as the shell starts it. Only what every command needs is loaded here: `weir drain` and
 * `weir probe` run inside a pod's hooks and must be done before most programs have begun.
 */
import { readFile } from 'node:fs/promises';
import type { Context } from './context.ts';
import { ExitCode } from './exit-codes.ts';
import { run } from './run.ts';

const interruption = new AbortController();

const context: Context = {
  stdout: { write: (text) => process.stdout.write(text), isTTY: process.stdout.isTTY === true },
  stderr: { write: (text) => process.stderr.write(text), isTTY: process.stderr.isTTY === true },
  env: process.env,
  fetch: globalThis.fetch,
  readFile: (path) => readFile(path, 'utf8'),
  readStdin,
  wallMs: Date.now,
  sleep,
  interrupted: interruption.signal,
};

// `weir get services | head -3` closes the pipe early, which is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(ExitCode.ok);
});

process.exitCode = await run(process.argv.slice(2), context, {
  // Programs that stay handle their own signals; commands end at the first one.
  beforeCommand() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        interruption.abort();
        process.exitCode = ExitCode.interrupted;
      });
    }
  },
});

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** Ends early, without an error, when interrupted. */
function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (interruption.signal.aborted) return resolve();
    const timer = setTimeout(done, durationMs);
    interruption.signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      interruption.signal.removeEventListener('abort', done);
      resolve();
    }
  });
}
