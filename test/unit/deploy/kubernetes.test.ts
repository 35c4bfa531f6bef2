/**
 * Whether the manifests and the image agree with the programs: every command, flag, value, port and probe in them is read
 * by the definitions the programs themselves use, so that a renamed flag fails here and not in a cluster.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../../control-plane/cli/arguments.ts';
import { commands } from '../../../control-plane/cli/commands.ts';
import { checkConfig as checkControlPlane, controlPlaneOptions } from '../../../control-plane/config.ts';
import { nodeFlags } from '../../../deploy/local/node-flags.ts';
import { parseDuration } from '../../../proto/kernel/duration.ts';
import { type Options, type OptionValues, parseOptions } from '../../../proto/kernel/options.ts';
import { checkConfig, sidecarOptions } from '../../../sidecar/config.ts';
import { healthDoor } from '../../../sidecar/io/health-door.ts';
import { containersOf, podOf, render } from './kustomization.ts';
import type { YamlNode } from './yaml-node.ts';

const root = resolve(import.meta.dirname, '../../..');
const folder = join(root, 'deploy/kubernetes');
const workloads = ['base', 'example']
  .flatMap((name) => render(join(folder, name)))
  .filter((each) => podOf(each).exists);

const sidecars = weirContainers('sidecar');
const controlPlanes = weirContainers('control-plane');

function weirContainers(program: string): { workload: YamlNode; container: YamlNode }[] {
  return workloads
    .flatMap((workload) => containersOf(workload).map((container) => ({ workload, container })))
    .filter(({ container }) => container.at('args').list()[0]?.value === program)
    .filter(({ container }) => container.at('image').text().startsWith('weir:'));
}

/** What the downward API would put in place of a variable's source. */
const sampleFields = new Map([
  ['metadata.name', 'payments-5c9f7d8b6-x2x7k'],
  ['metadata.namespace', 'shop'],
  ['status.podIP', '10.1.2.3'],
]);

/** The arguments after the program's name, with `$(VARIABLE)` replaced as the kubelet does. */
function argumentsOf({ workload, container }: { workload: YamlNode; container: YamlNode }): string[] {
  const variables = new Map(
    container
      .at('env')
      .list()
      .map((each) => [each.at('name').text(), fieldValue(workload, each)] as const),
  );
  const expanded = container
    .at('args')
    .texts()
    .map((argument) =>
      argument.replace(/\$\((\w+)\)/g, (_whole, name: string) => {
        const value = variables.get(name);
        if (value === undefined) throw new Error(`${container.place}: ${argument} names a variable that is not set`);
        return value;
      }),
    );
  return expanded.slice(1);
}

function fieldValue(workload: YamlNode, variable: YamlNode): string {
  const path = variable.at('valueFrom', 'fieldRef', 'fieldPath').text();
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed === null) return sampleFields.get(path) ?? '';
  return workload.at('spec', 'template', 'metadata', keyed[1] ?? '', keyed[2] ?? '').text();
}

/** The settings a program would run with; fails with everything it would complain about. */
function settingsOf<D extends Options>(definition: D, argv: readonly string[]): OptionValues<D> {
  const parsed = parseOptions(definition, { argv, env: {} });
  if (!parsed.ok) throw new Error(parsed.errors.join('\n'));
  if (parsed.help) throw new Error('asks for help');
  return parsed.values;
}

const sidecarSettings = (argv: readonly string[]) => settingsOf(sidecarOptions, argv);

function without(argv: readonly string[], flag: string): string[] {
  const rest = argv.filter((argument) => !argument.startsWith(`${flag}=`));
  expect(rest).toHaveLength(argv.length - 1);
  return rest;
}

function portNumber(container: YamlNode, name: string): number {
  const port = container
    .at('ports')
    .list()
    .find((each) => each.at('name').value === name);
  return Number(port?.at('containerPort').text());
}

/** All commands that hooks and probes run in a container. */
function execCommands(container: YamlNode): string[][] {
  const holders = [
    container.at('startupProbe'),
    container.at('readinessProbe'),
    container.at('livenessProbe'),
    container.at('lifecycle', 'preStop'),
    container.at('lifecycle', 'postStart'),
  ];
  return holders.map((holder) => holder.at('exec', 'command').texts()).filter((command) => command.length > 0);
}

describe('the sidecar in a pod', () => {
  it('is beside both workloads, as a native sidecar that starts first and is asked whether it is ready', () => {
    expect(sidecars).toHaveLength(2);
    for (const { workload, container } of sidecars) {
      expect(
        podOf(workload)
          .at('initContainers')
          .list()
          .map(({ value }) => value),
      ).toContain(container.value);
      expect(container.at('restartPolicy').value).toBe('Always');
      expect(container.at('startupProbe', 'exec', 'command').texts().slice(0, 3)).toEqual(['weir', 'probe', 'ready']);
      expect(container.at('lifecycle', 'preStop', 'exec', 'command').texts().slice(0, 2)).toEqual(['weir', 'drain']);
    }
  });

  it('has only flags and values that the program accepts', () => {
    for (const sidecar of sidecars) expect(checkConfig(sidecarSettings(argumentsOf(sidecar)))).toEqual([]);
    expect(sidecarSettings(argumentsOf(sidecars[0]!))).toMatchObject({
      service: 'shop/payments',
      app: '127.0.0.1:8080',
      advertise: '10.1.2.3:15006',
    });
  });

  it('is refused without its credentials', () => {
    for (const sidecar of sidecars) {
      for (const flag of ['--mesh-token-file', '--metrics-token-file', '--nats-token-file']) {
        const errors = checkConfig(sidecarSettings(without(argumentsOf(sidecar), flag)));
        expect(errors).toHaveLength(1);
        expect(errors[0]).toContain(flag);
      }
    }
  });

  it('listens on the ports its container names', () => {
    for (const sidecar of sidecars) {
      const settings = sidecarSettings(argumentsOf(sidecar));
      expect(settings.inbound).toMatchObject({ port: portNumber(sidecar.container, 'weir-inbound') });
      expect(settings.metrics).toMatchObject({ port: portNumber(sidecar.container, 'weir-metrics') });
      expect(settings.advertise).toMatch(`:${portNumber(sidecar.container, 'weir-inbound')}`);
    }
  });

  it('has more time to end than its drain takes', () => {
    for (const { workload, container } of sidecars) {
      const { drainTimeout } = sidecarSettings(argumentsOf({ workload, container }));
      const graceMs = Number(podOf(workload).at('terminationGracePeriodSeconds').text()) * 1000;
      expect(graceMs).toBeGreaterThan(drainTimeout + 5_000);
      const drain = container.at('lifecycle', 'preStop', 'exec', 'command').texts();
      expect(parseDuration(drain[drain.indexOf('--timeout') + 1] ?? '')).toBeLessThanOrEqual(drainTimeout);
    }
  });

  it('writes only into volumes that may be written', () => {
    for (const sidecar of sidecars) {
      const { admin, dataDir } = sidecarSettings(argumentsOf(sidecar));
      const writable = sidecar.container
        .at('volumeMounts')
        .list()
        .filter((mount) => mount.at('readOnly').value !== true)
        .map((mount) => mount.at('mountPath').text());
      expect(writable).toContain(dataDir);
      expect('path' in admin && writable.some((path) => admin.path.startsWith(`${path}/`))).toBe(true);
    }
  });
});

describe('hooks and probes of Weir’s containers', () => {
  it('are commands of the program with flags it knows, and ask the doors the sidecar opens', async () => {
    let seen = 0;
    for (const sidecar of sidecars) {
      const { admin, health } = sidecarSettings(argumentsOf(sidecar));
      for (const [program, name = '', ...rest] of execCommands(sidecar.container)) {
        expect(program).toBe('weir');
        const entry = commands[name];
        if (entry === undefined || !('load' in entry)) throw new Error(`weir ${name} is no command`);
        const command = await entry.load();
        const parsed = parseArguments(command, rest);
        if (!parsed.ok) throw new Error(parsed.errors.join('\n'));
        if (name === 'drain') expect(parsed.arguments.text('admin')).toBe('path' in admin ? `unix:${admin.path}` : '');
        if (name === 'probe') {
          expect(command.usage).toContain(parsed.arguments.positionals[0]);
          expect(parsed.arguments.text('health')).toBe('port' in health ? `${health.host}:${health.port}` : '');
        }
        seen++;
      }
    }
    expect(seen).toBe(8);
  });

  it('find what `weir probe` asks on the health door', async () => {
    const door = healthDoor(() => '');
    for (const url of ['/readyz', '/healthz']) expect(await door.inject({ url })).toMatchObject({ statusCode: 200 });
    await door.close();
  });
});

describe('the control plane', () => {
  const apiToken = 't9876543210';
  const settings = () => settingsOf(controlPlaneOptions, argumentsOf(controlPlanes[0]!));

  it('has only flags and values that the program accepts, and reads both tokens from files', () => {
    expect(controlPlanes).toHaveLength(1);
    expect(checkControlPlane(settings(), { apiToken })).toMatchObject({ ok: true });
    expect(settings()).toMatchObject({
      id: 'payments-5c9f7d8b6-x2x7k',
      natsTokenFile: '/etc/weir/nats/token',
      apiTokenFile: '/etc/weir/api/token',
    });
  });

  it('is refused without either token', () => {
    for (const checked of [
      checkControlPlane(settings(), { apiToken: undefined }),
      checkControlPlane({ ...settings(), natsTokenFile: undefined }, { apiToken }),
    ]) {
      expect(checked.ok ? [] : checked.errors).toHaveLength(1);
    }
  });

  it('is probed on its port, on paths that ask for no credential', () => {
    const { container } = controlPlanes[0]!;
    const routes = readFileSync(join(root, 'control-plane/api/fleet-routes.ts'), 'utf8');
    for (const name of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
      const probe = container.at(name, 'httpGet');
      expect(portNumber(container, probe.at('port').text())).toBe(settings().listen.port);
      expect(routes).toMatch(new RegExp(`app\\.get\\(\\s*'${probe.at('path').text()}',\\s*\\{ config: open`));
    }
  });

  it('finds the NATS server that the base runs, and so do the sidecars', () => {
    const addresses = [settings().nats, ...sidecars.map((sidecar) => sidecarSettings(argumentsOf(sidecar)).nats)];
    const service = render(join(folder, 'base')).find(
      (each) => each.at('kind').value === 'Service' && each.at('metadata', 'name').value === 'weir-nats',
    );
    const namespace = service?.at('metadata', 'namespace').text();
    const port = service?.at('spec', 'ports', 0, 'port').text();
    expect(new Set(addresses)).toEqual(new Set([`nats://weir-nats.${namespace}:${port}`]));
  });
});

describe('the image', () => {
  const dockerfile = readFileSync(join(root, 'deploy/images/Dockerfile'), 'utf8');
  const finalStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

  it('is Node 24, without development dependencies, and not root', () => {
    expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)).toEqual([
      'node:24-slim',
      'node:24-slim',
    ]);
    expect(finalStage).toContain('npm ci --omit=dev');
    expect(Number(/^USER (\d+):\d+$/m.exec(finalStage)?.[1])).toBeGreaterThan(0);
    for (const { container, workload } of [...sidecars, ...controlPlanes]) {
      const user =
        container.at('securityContext', 'runAsUser').value ?? podOf(workload).at('securityContext', 'runAsUser').value;
      expect(finalStage).toContain(`USER ${user}:`);
    }
  });

  it('starts the program the package names, by way of exec', () => {
    const { bin }: { bin: { weir: string } } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(readFileSync(join(root, 'deploy/images/weir'), 'utf8')).toContain(
      `exec node ${nodeFlags.join(' ')} /app/${bin.weir} "$@"`,
    );
    expect(finalStage).toMatch(/^COPY --chmod=755 deploy\/images\/weir \/usr\/local\/bin\/weir$/m);
    expect(finalStage).toContain('ENTRYPOINT ["weir"]');
  });

  it('copies only what exists', () => {
    for (const [, sources = ''] of dockerfile.matchAll(/^COPY (?!--from)(?:--\S+ )*(.+) \S+$/gm)) {
      for (const source of sources.split(' ')) expect(existsSync(join(root, source))).toBe(true);
    }
  });
});
