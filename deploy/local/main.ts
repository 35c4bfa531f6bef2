/**
 * The main job of `npm start`: the mesh and a shop inside it, as real processes on this machine, twice under the same
 * load. Without arguments a live view that goes on until Ctrl-C; with --check a script that proves the behaviour and
 * ends with one JSON object. However it ends, nothing it started stays behind.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { forgetFolder, guardFolder } from '../../control-plane/cli/child-guard.ts';
import { runCheck } from './check.ts';
import { runLive } from './live.ts';
import { Load } from './load.ts';
import { DemoMesh } from './mesh.ts';
import { describe, Processes } from './processes.ts';
import { View } from './view.ts';

const help = `Usage: npm start -- [options]

Runs a shop of gRPC services twice under the same load, without and with Weir, and shows both side by side.

Options
  --check            headless: prove the behaviour step by step; the last line is one JSON object
  --data-dir <dir>   keep logs and data there (default: a temporary folder, removed at the end)
  --seed <n>         seed of the load and of the services' jitter (default 1)
  --help

Examples
  npm start
  npm start -- --check
  npm start -- --data-dir /tmp/weir-demo

Exit codes: 0 ended or check passed · 1 check failed · 64 wrong arguments · 70 could not start · 130 interrupted check
`;

interface Arguments {
  readonly check: boolean;
  readonly help: boolean;
  readonly dataDir: string | undefined;
  readonly seed: number;
}

/** The port an operator would expect, so that the addresses are the same at every start. */
const favouriteApiPort = 15_080;

/** Endpoints and connections of a first request come at their own pace. */
const warmUpTimeoutMs = 10_000;

async function main(): Promise<number> {
  const startMs = performance.now();
  const options = parseArguments(process.argv.slice(2));
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n\n${help}`);
    return 64;
  }
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }

  // grpc-js makes an Error of every refusal; nobody reads where in it.
  Error.stackTraceLimit = 0;
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'weir-demo-'));
  if (options.dataDir === undefined) guardFolder(dataDir);
  else mkdirSync(dataDir, { recursive: true });

  const stopping = stopOnSignals();
  const view = new View(process.stdout, process.env);
  const since = (): string => `${((performance.now() - startMs) / 1_000).toFixed(1).padStart(5)} s`;
  const processes = new Processes(dataDir, (child, exit) => {
    if (!stopping.signal.aborted) view.say(`! ${child.spec.name} ended by itself (${describe(exit)})\n${child.tail()}`);
  });

  // While it is still starting, what was asked to end ends the start.
  const giveUp = (): void => void processes.stop();
  stopping.signal.addEventListener('abort', giveUp);
  let mesh: DemoMesh | undefined;
  let load: Load | undefined;
  try {
    mesh = await DemoMesh.start({
      processes,
      dataDir,
      seed: options.seed,
      apiPort: !options.check && (await isFree(favouriteApiPort)) ? favouriteApiPort : 0,
      calibrate: options.check,
      onStep: (text) => view.say(`✓ ${since()}  ${text}`),
    });
    stopping.signal.removeEventListener('abort', giveUp);
    load = new Load({ orders: mesh.orders, seed: options.seed });
    await load.warmUp(warmUpTimeoutMs);
    view.say(`✓ ${since()}  a first request through every orders, on both sides`);
    load.start();
    view.say(`✓ ${since()}  load is flowing, the same to both sides`);
    if (options.check)
      return await runCheck({ mesh, load, signal: stopping.signal, say: (text) => view.say(text), startMs });
    await runLive({ mesh, load, view, signal: stopping.signal });
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) return options.check ? 130 : 0;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 70;
  } finally {
    load?.stop();
    if (mesh) await mesh.stop();
    else await processes.stop();
    if (options.dataDir === undefined) {
      rmSync(dataDir, { recursive: true, force: true });
      forgetFolder(dataDir);
    }
    if (!options.check)
      view.say(
        `\n  Stopped: all processes ended${options.dataDir === undefined ? ', the data removed' : `, logs in ${join(dataDir, 'logs')}`}.`,
      );
  }
}

function parseArguments(args: readonly string[]): Arguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        'data-dir': { type: 'string' },
        seed: { type: 'string', default: '1' },
      },
    });
    const seed = Number(values.seed);
    if (!Number.isSafeInteger(seed)) return `--seed is a whole number, not ${JSON.stringify(values.seed)}`;
    const dataDir = values['data-dir'];
    return {
      check: values.check,
      help: values.help,
      dataDir: dataDir === undefined ? undefined : resolve(dataDir),
      seed,
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The first signal asks for an orderly end, the second does not wait for it. */
function stopOnSignals(): AbortController {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(130);
      stopping.abort();
    });
  }
  return stopping;
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((settle) => {
    const probe = createServer();
    probe.once('error', () => settle(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => settle(true)));
  });
}

process.exitCode = await main();
