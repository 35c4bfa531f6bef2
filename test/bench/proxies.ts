/**
 * The proxies that are compared. To add one: an entry here, its configuration beside this file, its name in the usage.
 * Each listens on loopback, speaks h2c on both sides, forwards to the one origin, and is pinned to one core.
 */
import { existsSync } from 'node:fs';
import { type Child, type Children, freePort, untilListening } from './children.ts';
import { configFile, findTool, programFile } from './tools.ts';

const startDeadlineMs = 15_000;

export interface StartContext {
  readonly children: Children;
  readonly core: number | null;
  readonly originPort: number;
}

export interface RunningProxy {
  readonly child: Child;
  readonly port: number;
}

export interface ProxyKind {
  readonly name: string;
  readonly summary: string;
  /** Why it cannot take part here, or null when it can. */
  absent(): string | null;
  /** Resolves once it accepts connections. */
  start(context: StartContext): Promise<RunningProxy>;
}

const weirProgram = programFile('control-plane/cli/main.js');
const weirAbsent = () => (existsSync(weirProgram) ? null : `${weirProgram} is missing: npm run build`);

/** Every listener on a port of its own choosing, and no access log: the others write none either. */
const weirCommon = [
  ...['--outbound', '127.0.0.1:0', '--inbound', '127.0.0.1:0'],
  ...['--health', '127.0.0.1:0', '--metrics', '127.0.0.1:0', '--admin', '127.0.0.1:0'],
  ...['--log-format', 'json', '--access-log-sample', '0'],
];

async function startWeir(context: StartContext, args: string[], listener: 'inbound' | 'outbound') {
  const command = [weirProgram, 'sidecar', ...args, ...weirCommon, '--policy', configFile('policy.yaml')];
  const child = context.children.start(process.execPath, command, { core: context.core });
  return { child, port: await child.firstLine((line) => listenerPort(line, listener), startDeadlineMs) };
}

/** The port of a listener in the sidecar's `listening` log line; null for every other line. */
export function listenerPort(line: string, listener: string): number | null {
  if (!line.includes('"listening"')) return null;
  const address: unknown = Object.entries(JSON.parse(line) as object).find(([name]) => name === listener)?.[1];
  const port = typeof address === 'string' ? Number(address.slice(address.lastIndexOf(':') + 1)) : Number.NaN;
  return port > 0 ? port : null;
}

async function startNode(context: StartContext, program: string): Promise<RunningProxy> {
  const command = [programFile(program), String(context.originPort)];
  const child = context.children.start(process.execPath, command, { core: context.core });
  return { child, port: await child.firstLine(printedPort, startDeadlineMs) };
}

/** `{"port": 1234}`, as our own small servers print. */
export function printedPort(line: string): number | null {
  const port = /^\{"port":(\d+)\}$/.exec(line)?.[1];
  return port === undefined ? null : Number(port);
}

export const proxyKinds: readonly ProxyKind[] = [
  {
    name: 'weir',
    summary: 'the sidecar, inbound: two rate limits, concurrency limit with queue, deadline',
    absent: weirAbsent,
    start: (context) =>
      startWeir(
        context,
        ['--service', 'bench/origin', '--app', `127.0.0.1:${context.originPort}`, '--app-protocol', 'http2'],
        'inbound',
      ),
  },
  {
    name: 'weir-outbound',
    summary: 'the sidecar, outbound: routing by authority, P2C, circuit breaker, timeout',
    absent: weirAbsent,
    start: (context) =>
      startWeir(
        context,
        ['--service', 'bench/caller', '--endpoint', `bench/origin=127.0.0.1:${context.originPort}`],
        'outbound',
      ),
  },
  {
    name: 'haproxy',
    summary: 'haproxy with test/bench/haproxy.cfg: the same limits',
    absent: () => (findTool('haproxy') === null ? 'haproxy is not installed (Debian: apt-get install haproxy)' : null),
    async start(context) {
      const port = await freePort();
      const child = context.children.start(findTool('haproxy') ?? 'haproxy', ['-db', '-f', configFile('haproxy.cfg')], {
        core: context.core,
        env: { WEIR_BENCH_LISTEN_PORT: String(port), WEIR_BENCH_ORIGIN_PORT: String(context.originPort) },
      });
      await untilListening(child, port, startDeadlineMs);
      return { child, port };
    },
  },
  {
    name: 'node-http2',
    summary: 'a plain node:http2 pipe, no policies',
    absent: () => null,
    start: (context) => startNode(context, 'test/bench/node-http2-pipe.js'),
  },
];

export const defaultProxies = ['weir', 'haproxy', 'node-http2'];
