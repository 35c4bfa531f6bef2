/**
 * The proxies that are compared. To add one: an entry here, its configuration in peers/, and the usage knows it. Each
 * listens on loopback, speaks HTTP/2 in the clear or over TLS to the generator and in the clear to the one origin, and
 * is pinned to one core.
 */
import { existsSync } from 'node:fs';
import { nodeEnvironment, nodeFlags } from '../../deploy/local/node-flags.ts';
import { writeConfig } from './config-template.ts';
import { envoy, haproxy, nghttpx, nginx } from './peer-proxies.ts';
import { type ProxyKind, type RunningProxy, type StartContext, startDeadlineMs } from './proxy-kind.ts';
import { programFile } from './tools.ts';

const weirProgram = programFile('control-plane/cli/main.js');
/** For a profile: the same code as the bundle that `weir sidecar` starts, in files one can find. */
const unbundledSidecar = programFile('sidecar/main.js');
const weirAbsent = () => (existsSync(weirProgram) ? null : `${weirProgram} is missing: npm run build`);

/** Every other listener on a port of its own choosing, and no access log: the others write none either. */
const weirCommon = [
  ...['--health', '127.0.0.1:0', '--metrics', '127.0.0.1:0', '--admin', '127.0.0.1:0'],
  ...['--log-format', 'json', '--access-log-sample', '0'],
];

async function startWeir(context: StartContext, args: string[], listener: 'inbound' | 'outbound') {
  const { certificate } = context;
  const policy = writeConfig('policy.yaml', context.setting, context.scratchFolder, {});
  const measured = `127.0.0.1:${context.port ?? 0}`;
  const listeners = { inbound: '127.0.0.1:0', outbound: '127.0.0.1:0', [listener]: measured };
  const command = [
    ...nodeFlags,
    ...(context.nodeFlags === undefined ? [weirProgram, 'sidecar'] : [...context.nodeFlags, unbundledSidecar]),
    ...[...args, ...weirCommon, '--policy', policy],
    ...['--inbound', listeners.inbound, '--outbound', listeners.outbound],
    ...(certificate === null
      ? []
      : ['--tls-cert-file', certificate.certificateFile, '--tls-key-file', certificate.keyFile]),
  ];
  const child = context.children.start(process.execPath, command, { core: context.core, env: nodeEnvironment });
  const line = await child.firstLine((text) => (listenerPort(text, listener) === null ? null : text), startDeadlineMs);
  const [port, metricsPort] = [listenerPort(line, listener), listenerPort(line, 'metrics')];
  if (port === null || metricsPort === null) throw new Error(`no port in ${line}`);
  return { child, port, metricsPort };
}

/** The port of a listener in the sidecar's `listening` log line; null for every other line. */
export function listenerPort(line: string, listener: string): number | null {
  if (!line.includes('"listening"')) return null;
  const address: unknown = Object.entries(JSON.parse(line) as object).find(([name]) => name === listener)?.[1];
  const port = typeof address === 'string' ? Number(address.slice(address.lastIndexOf(':') + 1)) : Number.NaN;
  return port > 0 ? port : null;
}

async function startPipe(context: StartContext): Promise<RunningProxy> {
  const { certificate } = context;
  const files = certificate === null ? [] : [certificate.certificateFile, certificate.keyFile];
  const command = [
    ...(context.nodeFlags ?? []),
    programFile('test/bench/node-http2-pipe.js'),
    ...[String(context.originPort), String(context.port ?? 0), ...files],
  ];
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
    saysListening: true,
    absent: weirAbsent,
    cannot: () => null,
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
    saysListening: true,
    absent: weirAbsent,
    cannot: ({ tls, refuses }) =>
      tls ? 'the app calls it in the clear, on loopback' : refuses ? 'rate limits are inbound' : null,
    start: (context) =>
      startWeir(
        context,
        ['--service', 'bench/caller', '--endpoint', `bench/origin=127.0.0.1:${context.originPort}`],
        'outbound',
      ),
  },
  haproxy,
  nginx,
  nghttpx,
  envoy,
  {
    name: 'node-http2',
    summary: 'a plain node:http2 pipe, no policies',
    absent: () => null,
    cannot: ({ refuses }) => (refuses ? 'it has no policies' : null),
    start: startPipe,
  },
];

export const defaultProxies = proxyKinds.map(({ name }) => name).filter((name) => name !== 'weir-outbound');
