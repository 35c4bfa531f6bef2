/** The peers: one process, one worker each, configured by the files in peers/, which say what each of them cannot. */
import { freePort, untilListening } from './children.ts';
import { writeConfig } from './config-template.ts';
import { findEnvoy, howToGetEnvoy } from './envoy-binary.ts';
import { type ProxyKind, type RunningProxy, type StartContext, startDeadlineMs } from './proxy-kind.ts';
import { findTool } from './tools.ts';

const everything = () => null;

export const haproxy: ProxyKind = {
  name: 'haproxy',
  summary: 'haproxy with peers/haproxy.cfg: the same limits',
  absent: () => missingPackage('haproxy', 'haproxy'),
  cannot: everything,
  start: (context) => startPeer(context, 'haproxy', 'haproxy.cfg', (file) => ['-db', '-f', file]),
};

export const nginx: ProxyKind = {
  name: 'nginx',
  summary: 'nginx with peers/nginx.conf: grpc_pass, the same limits without a queue and a breaker',
  absent: () => missingPackage('nginx', 'nginx-light'),
  cannot: everything,
  start: (context) =>
    startPeer(context, 'nginx', 'nginx.conf', (file) => ['-p', context.scratchFolder, '-e', 'stderr', '-c', file]),
};

export const nghttpx: ProxyKind = {
  name: 'nghttpx',
  summary: 'nghttpx with peers/nghttpx.conf: caps, timeouts and offline backends, no rate limits',
  absent: () => missingPackage('nghttpx', 'nghttp2-proxy'),
  cannot: ({ refuses }) => (refuses ? 'it has no limit of requests per second' : null),
  start: (context) => startPeer(context, 'nghttpx', 'nghttpx.conf', (file) => [`--conf=${file}`]),
};

export const envoy: ProxyKind = {
  name: 'envoy',
  summary: 'Envoy with peers/envoy.yaml: one worker, the same limits',
  absent: () => (findEnvoy() === null ? howToGetEnvoy : null),
  cannot: everything,
  start: (context) =>
    startPeer(context, findEnvoy() ?? 'envoy', 'envoy.yaml', (file) => [
      ...['-c', file, '--concurrency', '1'],
      ...['--disable-hot-restart', '--log-level', 'error'],
    ]),
};

function missingPackage(tool: string, debianPackage: string): string | null {
  return findTool(tool) === null ? `${tool} is not installed (Debian: apt-get install ${debianPackage})` : null;
}

async function startPeer(
  context: StartContext,
  tool: string,
  config: string,
  commandLine: (configFile: string) => readonly string[],
): Promise<RunningProxy> {
  const port = context.port ?? (await freePort());
  const file = writeConfig(config, context.setting, context.scratchFolder, valuesFor(context, port));
  const child = context.children.start(findTool(tool) ?? tool, commandLine(file), { core: context.core });
  await untilListening(child, port, startDeadlineMs);
  return { child, port };
}

function valuesFor(context: StartContext, port: number): Record<string, string> {
  const { certificate } = context;
  const ports = { LISTEN_PORT: String(port), ORIGIN_PORT: String(context.originPort) };
  if (certificate === null) return ports;
  return {
    ...ports,
    CERTIFICATE: certificate.certificateFile,
    KEY: certificate.keyFile,
    CERTIFICATE_AND_KEY: certificate.bothFile,
  };
}
