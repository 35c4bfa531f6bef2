/**
 * What stands between callers and apps in a live experiment: Weir's sidecars, as the operator starts them, or one of the
 * proxies that Weir is compared with. Those have one place, beside the app, and callers come straight to them.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeFlags } from '../../../deploy/local/node-flags.ts';
import { policyApiVersion, policyKind } from '../../../proto/policy/schema.ts';
import { freePort } from '../../bench/children.ts';
import { renderConfig } from '../../bench/config-template.ts';
import { findEnvoy, howToGetEnvoy } from '../../bench/envoy-binary.ts';
import { findTool } from '../../bench/tools.ts';
import { distFolder, weirMain } from '../../support/process.ts';
import { namespace } from '../policies.ts';
import type { CallerSpec, Experiment, PolicyParts } from '../scenario.ts';
import { Program, text } from './processes.ts';

/** The proxies of one experiment. */
export interface Chain {
  /** Where a caller knocks. */
  doorsOf(caller: CallerSpec): readonly string[];
  readonly programs: readonly Program[];
  stop(): void;
}

export interface ChainOptions {
  readonly experiment: Experiment;
  readonly policies: ReadonlyMap<string, PolicyParts>;
  /** Of each service's replicas. */
  readonly apps: ReadonlyMap<string, readonly string[]>;
}

export interface ChainKind {
  readonly name: string;
  readonly summary: string;
  /** Why it cannot be had here; null when it can. */
  absent(): string | null;
  start(options: ChainOptions): Promise<Chain>;
}

const doors = ['--inbound', '--outbound', '--health', '--metrics', '--admin'].flatMap((door) => [door, '127.0.0.1:0']);

export const weirChain: ChainKind = {
  name: 'weir',
  summary: 'sidecars beside services and callers',
  absent: () => (existsSync(weirMain) ? null : `${weirMain} is not there: npm run build`),
  start: startWeir,
};

async function startWeir({ experiment, policies, apps }: ChainOptions): Promise<Chain> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-lab-'));
  const policyFile = join(folder, 'policies.json');
  writeFileSync(
    policyFile,
    [...policies].map(([service, parts]) => JSON.stringify(documentOf(service, parts))).join('\n---\n'),
  );
  const programs: Program[] = [];
  // Sidecars tell each other levels and tiers only where they know each other; callers without one have no token to show.
  const isMesh = experiment.callers.every(({ sidecars = 0 }) => sidecars > 0);
  const tokenFile = join(folder, 'mesh-token');
  writeFileSync(tokenFile, randomBytes(16).toString('hex'));
  const start = async (service: string, args: readonly string[]): Promise<Program> => {
    const common = ['--policy', policyFile, '--access-log-sample', '0', '--log-format', 'json'];
    if (isMesh) common.push('--mesh-token-file', tokenFile);
    const program = new Program(`sidecar of ${service}`, process.execPath, [
      ...[...nodeFlags, weirMain, 'sidecar', '--service', `${namespace}/${service}`],
      ...doors,
      ...common,
      ...args,
    ]);
    programs.push(program);
    await program.said('listening');
    return program;
  };
  const stop = (): void => {
    for (const program of programs) program.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const inbound = new Map<string, string[]>();
    for (const [service, addresses] of apps) {
      const sidecars = await Promise.all(
        addresses.map((app) => start(service, ['--app', app, '--app-protocol', 'http2'])),
      );
      inbound.set(
        service,
        sidecars.map(({ lines }) => text(listening(lines), 'inbound')),
      );
    }
    const callers = new Map<string, string[]>();
    for (const { name, service, sidecars = 0 } of experiment.callers) {
      const endpoints = inbound
        .get(service)!
        .flatMap((address) => ['--endpoint', `${namespace}/${service}=${address}`]);
      const own = await Promise.all(Array.from({ length: sidecars }, () => start(name, endpoints)));
      callers.set(
        name,
        sidecars === 0 ? inbound.get(service)! : own.map(({ lines }) => text(listening(lines), 'outbound')),
      );
    }
    return { doorsOf: ({ name }) => callers.get(name)!, programs, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

function listening(lines: Program['lines']): Program['lines'][number] {
  return lines.find(({ msg }) => msg === 'listening') ?? {};
}

function documentOf(service: string, parts: PolicyParts): unknown {
  const metadata = { name: service, namespace };
  return { apiVersion: policyApiVersion, kind: policyKind, metadata, spec: { target: { service }, ...parts } };
}

const envoyChain: ChainKind = {
  name: 'envoy',
  summary: 'Envoy with adaptive concurrency and admission control (peers/envoy.yaml)',
  absent: () => (findEnvoy() === null ? howToGetEnvoy : null),
  start: (options) =>
    startPeer(options, 'envoy.yaml', findEnvoy() ?? 'envoy', (file) => [
      ...['-c', file, '--concurrency', '1'],
      ...['--disable-hot-restart', '--log-level', 'error'],
    ]),
};

const haproxyChain: ChainKind = {
  name: 'haproxy',
  summary: 'haproxy with maxconn and its queue (peers/haproxy.cfg)',
  absent: () => (findTool('haproxy') === null ? 'haproxy is not installed (Debian: apt-get install haproxy)' : null),
  start: (options) =>
    startPeer(options, 'haproxy.cfg', findTool('haproxy') ?? 'haproxy', (file) => ['-db', '-f', file]),
};

export const peers: readonly ChainKind[] = [envoyChain, haproxyChain];

const peerStartMs = 15_000;

/** One for each service, beside its first replica. */
async function startPeer(
  { experiment, apps }: ChainOptions,
  config: string,
  tool: string,
  commandLine: (file: string) => readonly string[],
): Promise<Chain> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-lab-'));
  const programs: Program[] = [];
  const stop = (): void => {
    for (const program of programs) program.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const addresses = new Map<string, string>();
    for (const { name } of experiment.services) {
      const port = await freePort();
      const app = apps.get(name)![0]!;
      const values = { LISTEN_PORT: String(port), APP_PORT: app.slice(app.lastIndexOf(':') + 1) };
      const file = join(folder, `${name}-${config}`);
      writeFileSync(file, renderConfig(readFileSync(peerFile(config), 'utf8'), [], values));
      const program = new Program(config, tool, commandLine(file));
      programs.push(program);
      await untilOpen(program, port);
      addresses.set(name, `127.0.0.1:${port}`);
    }
    return { doorsOf: ({ service }) => [addresses.get(service)!], programs, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

/** Configurations are not compiled: they stay in the sources. */
function peerFile(name: string): string {
  return resolve(distFolder, '../test/lab/live/peers', name);
}

async function untilOpen(program: Program, port: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < peerStartMs && program.isRunning; waitedMs += 20) {
    if (await isOpen(port)) return;
    await delay(20);
  }
  throw new Error(`port ${port} did not open`);
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
