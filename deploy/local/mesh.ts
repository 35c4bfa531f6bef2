/**
 * Brings the whole demo up, as fast as the machine allows, and reads like the picture in topology.ts: what does not
 * wait for another starts at the same moment. Each sidecar starts when its app has a port; the apps of `orders` learn
 * their upstreams last, through their control ports.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type NatsServerProcess, startNatsServer } from '../../control-plane/cli/nats-server.ts';
import { Api, type PolicyDocument, poll } from './api.ts';
import { calibrate } from './load.ts';
import { nodeFlags } from './node-flags.ts';
import type { Child, Processes } from './processes.ts';
import { packageRoot } from './shop.ts';
import {
  appQueueMax,
  authorityOf,
  type Member,
  members,
  namespace,
  nominalCapacity,
  overloadSlowFactor,
  type ServiceKind,
  type Side,
  specOf,
} from './topology.ts';

const startTimeoutMs = 20_000;

/** Lower is started first and stopped last. */
const tiers = { controlPlane: 1, service: 2, sidecar: 3 } as const;

const program = (path: string): string => join(packageRoot(), 'dist', path);
const programs = {
  controlPlane: program('control-plane/main.js'),
  sidecar: program('bundle/sidecar.js'),
  service: program('deploy/local/service.js'),
};

export interface StartOptions {
  readonly processes: Processes;
  readonly dataDir: string;
  readonly seed: number;
  /** 0 = any free port. */
  readonly apiPort: number;
  /** Measure the capacity of payments, which takes 2 s; otherwise it is taken by the book. */
  readonly calibrate: boolean;
  /** One line per finished step. */
  readonly onStep: (text: string) => void;
}

/** Requests per second that payments can answer: as it is, and slowed down as under overload. */
export interface Capacity {
  readonly calm: number;
  readonly overloaded: number;
}

interface Parts {
  readonly options: StartOptions;
  readonly apps: readonly App[];
  readonly sidecars: readonly Sidecar[];
  readonly capacity: Capacity;
  readonly api: Api;
  readonly nats: NatsServerProcess;
  readonly controlPlane: Child;
}

export class DemoMesh {
  readonly capacity: Capacity;
  readonly api: Api;
  /** Where the load goes: straight to the services, or to their sidecars. */
  readonly orders: Readonly<Record<Side, readonly string[]>>;
  readonly sidecarCount: number;
  /** Where each sidecar's metrics are. */
  readonly metrics: readonly string[];
  private readonly options: StartOptions;
  private readonly apps: readonly App[];
  private nats: NatsServerProcess;
  private controlPlane: Child;

  private constructor(parts: Parts) {
    this.capacity = parts.capacity;
    this.api = parts.api;
    this.orders = {
      without: parts.apps.filter(is('orders')).map(({ without }) => without),
      with: parts.sidecars.filter(is('orders')).map(({ inbound }) => inbound),
    };
    this.sidecarCount = parts.sidecars.length;
    this.metrics = parts.sidecars.map(({ metrics }) => metrics);
    this.options = parts.options;
    this.apps = parts.apps;
    this.nats = parts.nats;
    this.controlPlane = parts.controlPlane;
  }

  static async start(options: StartOptions): Promise<DemoMesh> {
    const { processes, onStep } = options;
    const starting = members().map((member) => startService(processes, member, options.seed));
    const nats = await startNatsServer({ dir: join(options.dataDir, 'nats') });
    onStep(`nats-server at ${nats.url}`);
    try {
      const controlPlane = startControlPlane(processes, nats.url, options.apiPort);
      const apps = await Promise.all(starting);
      onStep('gRPC services: orders ×4, payments ×2, inventory ×1, once per side');

      const sidecars = await Promise.all(apps.map((app) => startSidecar(processes, app, nats.url)));
      onStep(`${sidecars.length} sidecars, one beside each service`);

      const api = new Api(text(await controlPlane.listening(startTimeoutMs), 'api'));
      if (!(await poll(() => api.isReady(), { timeoutMs: startTimeoutMs })))
        throw new Error('the control plane is not ready');
      for (const document of readPolicies('payments.yaml')) await api.apply(document);
      onStep(`control plane at ${api.url}, three policies applied`);

      await connectOrders(apps, sidecars);
      const capacity = options.calibrate ? await calibrateBoth(apps.filter(is('payments'))) : capacityByTheBook();
      onStep(
        `payments can do ${capacity.calm.toFixed(0)} requests/s, ${capacity.overloaded.toFixed(0)} when it is ` +
          `${overloadSlowFactor}× as slow (${options.calibrate ? 'measured' : 'workers / service time'})`,
      );
      return new DemoMesh({ options, apps, sidecars, capacity, api, nats, controlPlane });
    } catch (error) {
      await nats.stop();
      throw error;
    }
  }

  /** Faults of all instances of a service, on both sides: percent that fail, factor that the work takes longer. */
  async fault(kind: ServiceKind, fault: { readonly failPercent: number; readonly slowFactor: number }): Promise<void> {
    const query = `fail=${fault.failPercent}&slow=${fault.slowFactor}`;
    await Promise.all(this.controlsOf(kind).map((url) => post(`${url}/fault?${query}`)));
  }

  async heal(kind: ServiceKind): Promise<void> {
    await Promise.all(this.controlsOf(kind).map((url) => post(`${url}/heal`)));
  }

  get natsUrl(): string {
    return this.nats.url;
  }

  get logsDir(): string {
    return join(this.options.dataDir, 'logs');
  }

  async killControlPlane(): Promise<void> {
    this.controlPlane.kill('SIGKILL');
    await this.controlPlane.exited;
  }

  /** On the same port, as a supervisor would. */
  async restartControlPlane(): Promise<void> {
    this.controlPlane = startControlPlane(this.options.processes, this.nats.url, Number(new URL(this.api.url).port));
    await this.controlPlane.listening(startTimeoutMs);
  }

  async killNats(): Promise<void> {
    await this.nats.kill9();
  }

  async restartNats(): Promise<void> {
    this.nats = await startNatsServer({ dir: this.nats.dir, port: this.nats.port });
  }

  /** nats-server last: what still runs while it stops would only complain. */
  async stop(): Promise<void> {
    await this.options.processes.stop();
    await this.nats.stop();
  }

  private controlsOf(kind: ServiceKind): string[] {
    return this.apps.filter(is(kind)).map(({ control }) => control);
  }
}

/** The documents of a file in policies/, its text changed by `edit` before it is read. */
export function readPolicies(file: string, edit = (source: string): string => source): PolicyDocument[] {
  const source = readFileSync(join(packageRoot(), 'deploy/local/policies', file), 'utf8');
  return parseAllDocuments(edit(source)).map((document) => {
    const value: unknown = document.toJS();
    if (!isPolicyDocument(value)) throw new Error(`${file}: a document has no metadata.name`);
    return value;
  });
}

function isPolicyDocument(value: unknown): value is PolicyDocument {
  return (
    typeof value === 'object' &&
    value !== null &&
    'metadata' in value &&
    typeof value.metadata === 'object' &&
    value.metadata !== null &&
    'name' in value.metadata &&
    typeof value.metadata.name === 'string'
  );
}

/** One service process: a port per side, and its control port. */
interface App extends Record<Side, string> {
  readonly member: Member;
  readonly control: string;
}

interface Sidecar {
  readonly member: Member;
  readonly inbound: string;
  readonly outbound: string;
  readonly metrics: string;
}

const is =
  (kind: ServiceKind) =>
  ({ member }: { readonly member: Member }): boolean =>
    member.kind === kind;

async function startService(processes: Processes, member: Member, seed: number): Promise<App> {
  const spec = specOf(member.kind);
  const child = processes.spawn({
    name: member.instance,
    command: process.execPath,
    args: [
      programs.service,
      ...['--kind', member.kind],
      ...['--instance', member.instance],
      ...['--workers', String(spec.workers)],
      ...['--service-ms', String(spec.serviceMs)],
      ...['--queue-max', String(appQueueMax)],
      ...['--seed', String(seed + member.index + 1)],
    ],
    tier: tiers.service,
  });
  const line = await child.listening(startTimeoutMs);
  return { member, without: text(line, 'without'), with: text(line, 'with'), control: text(line, 'control') };
}

async function startSidecar(processes: Processes, app: App, natsUrl: string): Promise<Sidecar> {
  const child = processes.spawn({
    name: `sidecar-${app.member.instance}`,
    command: process.execPath,
    args: [
      ...nodeFlags,
      programs.sidecar,
      ...['--service', `${namespace}/${app.member.kind}`],
      ...['--instance', app.member.instance],
      ...['--app', app.with],
      ...['--inbound', '127.0.0.1:0'],
      ...['--outbound', '127.0.0.1:0'],
      ...['--health', '127.0.0.1:0'],
      ...['--metrics', '127.0.0.1:0'],
      ...['--admin', '127.0.0.1:0'],
      ...['--nats', natsUrl],
      ...['--log-format', 'json'],
      ...['--drain-timeout', '1s'],
    ],
    tier: tiers.sidecar,
  });
  const line = await child.listening(startTimeoutMs);
  const at = (door: string): string => text(line, door);
  return { member: app.member, inbound: at('inbound'), outbound: at('outbound'), metrics: at('metrics') };
}

/** Without Weir `orders` dials every instance itself; with Weir it dials its sidecar and names whom it wants. */
async function connectOrders(apps: readonly App[], sidecars: readonly Sidecar[]): Promise<void> {
  const direct = (kind: ServiceKind): object => ({ addresses: apps.filter(is(kind)).map(({ without }) => without) });
  await Promise.all(
    apps.filter(is('orders')).map(async ({ member, control }) => {
      const sidecar = sidecars.find((candidate) => candidate.member === member);
      if (sidecar === undefined) throw new Error(`${member.instance} has no sidecar`);
      const meshed = (kind: ServiceKind): object => ({ addresses: [sidecar.outbound], authority: authorityOf(kind) });
      await post(`${control}/connect/without`, { payments: direct('payments'), inventory: direct('inventory') });
      await post(`${control}/connect/with`, { payments: meshed('payments'), inventory: meshed('inventory') });
    }),
  );
}

function capacityByTheBook(): Capacity {
  const calm = nominalCapacity('payments');
  return { calm, overloaded: calm / overloadSlowFactor };
}

async function calibrateBoth(payments: readonly App[]): Promise<Capacity> {
  const addresses = payments.map(({ without }) => without);
  const callers = 2 * addresses.length * specOf('payments').workers;
  const calm = await calibrate(addresses, { callers, forMs: 800 });
  await Promise.all(payments.map(({ control }) => post(`${control}/fault?slow=${overloadSlowFactor}`)));
  const overloaded = await calibrate(addresses, { callers, forMs: 1_300 });
  await Promise.all(payments.map(({ control }) => post(`${control}/heal`)));
  return { calm, overloaded };
}

function startControlPlane(processes: Processes, natsUrl: string, port: number): Child {
  return processes.spawn({
    name: 'control-plane',
    command: process.execPath,
    args: [
      programs.controlPlane,
      ...['--listen', `127.0.0.1:${port}`],
      ...['--nats', natsUrl],
      ...['--id', 'cp-0'],
      ...['--log-format', 'json'],
    ],
    tier: tiers.controlPlane,
  });
}

function text(line: Record<string, unknown>, field: string): string {
  const value = line[field];
  if (typeof value !== 'string') throw new Error(`the listening line has no ${field}: ${JSON.stringify(line)}`);
  return value;
}

async function post(url: string, body?: object): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`POST ${url} answered ${response.status}: ${answer}`);
}
