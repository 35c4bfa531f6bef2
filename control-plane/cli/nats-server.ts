/**
 * A nats-server as our child: found, started on loopback with JetStream in a given folder, ended with us. `weir dev`,
 * the demo and the tests all start it here. No npm package ships the binary, so it comes from the system.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, createWriteStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { guardChild } from './child-guard.ts';

/** Debian puts daemons where an ordinary user's PATH does not look. */
const foldersBesidePath = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

export const natsServerMissing =
  'nats-server was not found on PATH. Install it with one of:\n' +
  '  sudo apt-get install -y nats-server     (Debian, Ubuntu)\n' +
  '  brew install nats-server                (macOS)\n' +
  '  https://github.com/nats-io/nats-server/releases';

/** The path of the binary; undefined when there is none. */
export function findNatsServer(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...foldersBesidePath];
  return folders.map((folder) => join(folder, 'nats-server')).find(isExecutable);
}

export interface NatsServerOptions {
  /** JetStream's data and the generated configuration are kept in this folder. */
  readonly dir: string;
  /** 0 = any free port. */
  readonly port?: number;
  readonly token?: string;
  /** Further lines of its configuration. */
  readonly more?: string;
  /** Where the server's own log goes; default `<dir>/nats-server.log`. */
  readonly logFile?: string;
  readonly startTimeoutMs?: number;
}

export interface NatsServerProcess {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly pid: number;
  readonly logFile: string;
  /** Settles when the process has ended, whoever ended it. */
  readonly exited: Promise<void>;
  /** Ends it orderly, and after 3 s by force. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
}

/** Answers once the server accepts clients. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServerProcess> {
  const binary = findNatsServer();
  if (!binary) throw new Error(natsServerMissing);
  const { dir, port = 0, startTimeoutMs = 10_000 } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const configFile = join(dir, 'nats-server.conf');
  writeFileSync(configFile, configuration(dir, port, options), { mode: 0o600 });
  const logFile = options.logFile ?? join(dir, 'nats-server.log');
  // A process group of its own: Ctrl-C in a terminal reaches us alone, and we end things in the right order.
  const child = spawn(binary, ['-c', configFile, '--ports_file_dir', dir], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  guardChild(child);
  child.stderr.pipe(createWriteStream(logFile, { flags: 'a', mode: 0o600 }));
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const pid = child.pid ?? 0;
  const portsFile = join(dir, `nats-server_${pid}.ports`);
  try {
    const url = await whenListening(child, portsFile, logFile, startTimeoutMs);
    return {
      url,
      port: Number(new URL(url).port),
      dir,
      pid,
      logFile,
      exited,
      stop: () => end(child, exited, 'SIGTERM'),
      kill9: () => end(child, exited, 'SIGKILL'),
    };
  } catch (error) {
    await end(child, exited, 'SIGKILL');
    throw error;
  } finally {
    rmSync(portsFile, { force: true });
  }
}

/** A file rather than flags: a token on the command line can be read by every user of the machine. */
function configuration(dir: string, port: number, { token, more }: NatsServerOptions): string {
  return [
    `listen: "127.0.0.1:${port === 0 ? -1 : port}"`,
    // For operators, and for tests that kill it.
    `pid_file: ${JSON.stringify(join(dir, 'nats-server.pid'))}`,
    `jetstream { store_dir: ${JSON.stringify(join(dir, 'jetstream'))} }`,
    ...(token ? [`authorization { token: ${JSON.stringify(token)} }`] : []),
    ...(more === undefined ? [] : [more]),
    '',
  ].join('\n');
}

async function whenListening(
  child: ChildProcess,
  portsFile: string,
  logFile: string,
  timeoutMs: number,
): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      throw new Error(`nats-server ended at start: ${lastLines(logFile)}`);
    }
    const url = readPorts(portsFile);
    if (url) return url;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nats-server did not listen within ${timeoutMs} ms: ${lastLines(logFile)}`);
}

/** The server writes the file once its listeners are open; until it is whole it does not parse. */
function readPorts(portsFile: string): string | undefined {
  try {
    const ports: unknown = JSON.parse(readFileSync(portsFile, 'utf8'));
    if (typeof ports !== 'object' || ports === null || !('nats' in ports) || !Array.isArray(ports.nats))
      return undefined;
    const url: unknown = ports.nats[0];
    return typeof url === 'string' ? url : undefined;
  } catch {
    return undefined;
  }
}

async function end(child: ChildProcess, exited: Promise<void>, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await exited;
  clearTimeout(force);
}

function lastLines(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
  } catch {
    return 'no log';
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
