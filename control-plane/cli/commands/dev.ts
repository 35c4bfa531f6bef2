/**
 * `weir dev`: a control plane and its nats-server as two children of this command, on loopback, the data kept. Both
 * are real processes, so that what is learned here holds elsewhere; Ctrl-C ends both, and a nats-server that dies is
 * started again with the same data on the same port, which is what an operator's supervisor would do.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../api-client.ts';
import { guardChild } from '../child-guard.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { CommandError, ExitCode, usageError } from '../exit-codes.ts';
import { parseLogLine, showLogLine } from '../log-lines.ts';
import { findNatsServer, type NatsServerProcess, natsServerMissing, startNatsServer } from '../nats-server.ts';
import { paintFor } from '../style.ts';

const restartDelayMs = 200;
const stopTimeoutMs = 5_000;
const listenTimeoutMs = 15_000;

export const dev: Command = {
  usage: 'weir dev',
  description:
    'Runs a control plane and its own nats-server on loopback, for development. Policies are kept\n' +
    'in the data folder; Ctrl-C stops both.',
  flags: {
    listen: { kind: 'text', description: 'API and dashboard.', default: '127.0.0.1:15080', placeholder: 'host:port' },
    'nats-port': {
      kind: 'text',
      description: 'Port of nats-server; 0 is any free one.',
      default: '4222',
      placeholder: 'port',
    },
    'data-dir': { kind: 'text', description: 'Where the data is kept.', default: './.weir', placeholder: 'folder' },
    'log-level': {
      kind: 'choice',
      choices: ['debug', 'info', 'warn', 'error'],
      description: 'Of the control plane.',
      default: 'info',
    },
  },
  positionalsMax: 0,
  examples: ['weir dev', 'weir dev --data-dir /tmp/mesh --listen 127.0.0.1:0 --nats-port 0'],
  async run(context, given) {
    const natsPort = Number(given.text('nats-port'));
    if (!Number.isInteger(natsPort) || natsPort < 0 || natsPort > 65_535) {
      throw usageError(`--nats-port: "${given.text('nats-port')}" is not a port from 0 to 65535`);
    }
    if (!findNatsServer()) throw new CommandError(ExitCode.failed, natsServerMissing);
    const dir = resolve(given.text('data-dir') ?? '.weir');
    const nats = await NatsKeeper.start(context, dir, natsPort);
    const controlPlane = new ControlPlaneChild(context, [
      '--listen',
      given.text('listen') ?? '127.0.0.1:15080',
      '--nats',
      nats.url,
      '--log-level',
      given.text('log-level') ?? 'info',
    ]);
    try {
      const api = await controlPlane.listening();
      context.stdout.write(welcome(api, nats.url, dir));
      await Promise.race([whenAborted(context.interrupted), controlPlane.exited]);
      if (!context.interrupted.aborted) throw new CommandError(ExitCode.failed, 'the control plane ended');
      return ExitCode.interrupted;
    } catch (error) {
      if (context.interrupted.aborted) return ExitCode.interrupted;
      throw error;
    } finally {
      // The control plane first: it may want to say goodbye over NATS.
      await controlPlane.stop();
      await nats.stop();
    }
  },
};

/** Keeps one nats-server running until told to stop. */
class NatsKeeper {
  readonly url: string;
  private server: NatsServerProcess;
  private stopping = false;
  private restarting: Promise<void> | undefined;
  private readonly context: Context;

  private constructor(context: Context, server: NatsServerProcess) {
    this.context = context;
    this.server = server;
    this.url = server.url;
    this.watch();
  }

  static async start(context: Context, dir: string, port: number): Promise<NatsKeeper> {
    try {
      return new NatsKeeper(context, await startNatsServer({ dir, port }));
    } catch (error) {
      const hint = port === 0 ? undefined : `is port ${port} taken? "--nats-port 0" takes any free one`;
      throw new CommandError(ExitCode.failed, messageOf(error), hint);
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.restarting;
    await this.server.stop();
  }

  private watch(): void {
    void this.server.exited.then(() => {
      if (this.stopping) return;
      this.context.stderr.write('nats-server ended; starting it again\n');
      this.restarting = this.restart();
    });
  }

  private async restart(): Promise<void> {
    const { dir, port } = this.server;
    while (!this.stopping) {
      try {
        this.server = await startNatsServer({ dir, port });
        this.context.stderr.write('nats-server runs again\n');
        this.watch();
        return;
      } catch (error) {
        this.context.stderr.write(`${messageOf(error)}\n`);
        await this.context.sleep(restartDelayMs);
      }
    }
  }
}

/** `weir control-plane` as our child, its log passed on. */
class ControlPlaneChild {
  readonly exited: Promise<void>;
  private readonly child: ChildProcess;
  private readonly address: Promise<string>;

  constructor(context: Context, argv: readonly string[]) {
    const main = fileURLToPath(new URL('../main.js', import.meta.url));
    const child = spawn(
      process.execPath,
      [...process.execArgv, main, 'control-plane', '--log-format', 'json', ...argv],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        // Away from the terminal's Ctrl-C: we end it, in order.
        detached: true,
      },
    );
    guardChild(child);
    this.child = child;
    this.exited = new Promise((settle) => {
      child.once('exit', () => settle());
      child.once('error', () => settle());
    });
    const how = { isTTY: context.stderr.isTTY, colour: paintFor(context, context.stderr)('red', 'x') !== 'x' };
    this.address = new Promise((found) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          const record = parseLogLine(line);
          const api = record?.msg === 'listening' ? record.fields?.api : undefined;
          if (typeof api === 'string') found(api);
          context.stderr.write(`${showLogLine(line, how)}\n`);
        });
      }
    });
  }

  async listening(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new CommandError(
        ExitCode.timedOut,
        `the control plane did not listen within ${listenTimeoutMs} ms`,
      );
      timer = setTimeout(() => reject(error), listenTimeoutMs);
    });
    const ended = this.exited.then(() => {
      throw new CommandError(ExitCode.failed, 'the control plane did not start');
    });
    try {
      return await Promise.race([this.address, ended, late]);
    } finally {
      clearTimeout(timer);
      ended.catch(() => {});
    }
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const force = setTimeout(() => this.child.kill('SIGKILL'), stopTimeoutMs);
    await this.exited;
    clearTimeout(force);
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((settle) => {
    if (signal.aborted) settle();
    else signal.addEventListener('abort', () => settle(), { once: true });
  });
}

const welcome = (api: string, nats: string, dir: string): string => `
  dashboard and API   ${api}
  nats-server         ${nats}
  data                ${dir}

  weir sidecar --service default/web --app 127.0.0.1:8080 --nats ${nats}
  weir apply -f policy.yaml${api.endsWith(':15080') ? '' : ` --server ${api}`}

Ctrl-C stops both; the data stays.
`;
