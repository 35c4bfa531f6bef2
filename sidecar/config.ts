/**
 * The sidecar's settings: one definition for flags, environment and file, with the checks that need more than one of
 * them. Every error is reported at once.
 */

import { defineOptions, type ListenAddress, type OptionValues } from '../proto/kernel/options.ts';
import { checkNatsAccess, type NatsAccessCheck, type NatsSecrets, natsAccessOptions } from '../proto/nats-access.ts';
import { parseServiceKey, type ServiceName } from '../proto/subjects.ts';
import { parseLimits } from './http2/limits.ts';
import { parseAddress, parseUpstreamAddress } from './routing/address.ts';
import { consumerConfigErrors, consumerOptions } from './routing/consumer-options.ts';
import { isIdentityTemplate } from './routing/identity-template.ts';

const serviceKeyPattern = /^[a-z0-9-]+\/[a-z0-9-]+$/;

export const sidecarOptions = defineOptions({
  config: { kind: 'string', placeholder: '<file>', description: 'YAML file with any of these settings, in camelCase.' },
  service: {
    kind: 'string',
    default: 'default/app',
    placeholder: '<ns>/<svc>',
    pattern: serviceKeyPattern,
    description: 'The service this proxy stands beside.',
  },
  instance: {
    kind: 'string',
    placeholder: '<id>',
    pattern: /^[A-Za-z0-9_-]{1,63}$/,
    description: 'Name of this instance, unique within the service. Default: the host name and process id.',
  },
  zone: {
    kind: 'string',
    placeholder: '<zone>',
    pattern: /^[A-Za-z0-9_-]{1,63}$/,
    description: 'Failure zone of this instance.',
  },
  app: {
    kind: 'string',
    placeholder: 'host:port|unix:path|tls://host:port',
    description: 'Where the protected app listens. Without it there is no inbound side.',
  },
  appProtocol: {
    kind: 'choice',
    choices: ['auto', 'http2', 'http1'],
    default: 'auto',
    description: 'What the app speaks; auto keeps the protocol of the caller.',
  },
  appHealth: {
    kind: 'string',
    placeholder: 'grpc[:<service>]|http:<path>',
    pattern: /^(grpc(:[A-Za-z0-9._/-]{1,255})?|http:\/[!-~]{0,1023})$/,
    description: 'How the app is asked whether it is ready, for /readyz. Without it the app counts as ready.',
  },
  inbound: {
    kind: 'listen',
    default: '127.0.0.1:15006',
    description: 'Where callers reach the app through the proxy.',
  },
  outbound: {
    kind: 'listen',
    default: '127.0.0.1:15001',
    description: 'Where the app sends its calls; routed by authority.',
  },
  tlsCertFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'Certificate chain (PEM) of the inbound listener; with it the listener takes TLS only.',
  },
  tlsKeyFile: { kind: 'string', placeholder: '<file>', description: 'The private key (PEM) of --tls-cert-file.' },
  tlsClientCaFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'Authorities (PEM) of callers: mutual TLS, nobody without their certificate comes in.',
  },
  tlsReloadInterval: {
    kind: 'duration',
    default: '10s',
    min: 100,
    max: 3_600_000,
    description: 'How often certificate files are looked at; changed ones serve new connections.',
  },
  concurrency: {
    kind: 'integer',
    default: 1,
    min: 1,
    max: 64,
    description: 'Threads that carry requests. Limits hold for all of them together.',
  },
  proxyProtocol: {
    kind: 'boolean',
    default: false,
    description: 'Inbound connections begin with a PROXY v2 header; only behind a balancer that writes it.',
  },
  upstream: {
    kind: 'list',
    itemsMax: 256,
    placeholder: '<port>=<ns>/<svc>',
    pattern: /^[0-9]{1,5}=[a-z0-9-]+\/[a-z0-9-]+$/,
    description: 'A local port for the calls to one service.',
  },
  endpoint: {
    kind: 'list',
    itemsMax: 4096,
    placeholder: '<ns>/<svc>=<host:port>',
    pattern: /^[a-z0-9-]+\/[a-z0-9-]+=.+$/,
    description: 'A fixed endpoint of a service; discovery is then off for that service.',
  },
  authority: {
    kind: 'list',
    itemsMax: 1024,
    placeholder: '<host>=<ns>/<svc>',
    pattern: /^[^=]+=[a-z0-9-]+\/[a-z0-9-]+$/,
    description: 'Which service an authority (Host) means, where its name does not say so.',
  },
  upstreamConnectionsMax: {
    kind: 'integer',
    min: 1,
    max: 1024,
    default: 64,
    description: 'HTTP/2 connections to one endpoint; each carries up to 100 requests at once.',
  },
  upstreamIdleTimeout: {
    kind: 'duration',
    default: '1m',
    min: 1000,
    max: 86_400_000,
    description: 'After this without requests a connection to an endpoint is closed.',
  },
  upstreamTls: {
    kind: 'boolean',
    default: false,
    description: 'Dial the endpoints of other services over TLS, and let them prove which service they are.',
  },
  upstreamTlsCaFile: {
    kind: 'string',
    placeholder: '<file>',
    description: "Authorities (PEM) of services' certificates. Default: the well-known ones.",
  },
  upstreamTlsCertFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'Our own certificate chain (PEM) toward them: mutual TLS.',
  },
  upstreamTlsKeyFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'The private key (PEM) of --upstream-tls-cert-file.',
  },
  upstreamTlsIdentity: {
    kind: 'list',
    itemsMax: 16,
    placeholder: '<template>|any',
    description:
      "A name that a service's certificate must carry: DNS, or a URI like spiffe://mesh/ns/{namespace}/sa/{service}. " +
      'Default: {service}.{namespace}.svc.cluster.local',
  },
  appTlsCaFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'Authorities (PEM) of the certificate of an app at tls://host:port. Default: the well-known ones.',
  },
  appTlsName: {
    kind: 'string',
    placeholder: '<name>',
    pattern: /^[A-Za-z0-9.:-]{1,253}$/,
    description: "Name or IP address in the app's certificate. Default: the host of --app.",
  },
  policy: {
    kind: 'string',
    placeholder: '<file>',
    description: 'TrafficPolicy documents in force until the control plane sends others.',
  },
  nats: {
    kind: 'string',
    placeholder: 'nats://host:port',
    description: 'NATS servers, by comma. Without it the proxy stands alone.',
  },
  ...natsAccessOptions,
  ...consumerOptions,
  advertise: {
    kind: 'string',
    placeholder: 'host:port',
    description: "Address that callers' proxies use. Default: the inbound listener's.",
  },
  dataDir: { kind: 'string', placeholder: '<dir>', description: 'Where the last good policies are kept.' },
  health: { kind: 'listen', default: '127.0.0.1:15021', description: 'GET /healthz and /readyz.' },
  metrics: { kind: 'listen', default: '127.0.0.1:15090', description: 'GET /metrics for Prometheus.' },
  admin: {
    kind: 'listen',
    default: '127.0.0.1:15000',
    description: 'GET /config, /stats, /streams; POST /drain. Loopback or a Unix socket only.',
  },
  metricsTokenFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'File with the bearer token for /metrics; required beyond loopback.',
  },
  meshTokenFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'File with the token that sidecars show each other; required for an inbound listener beyond loopback.',
  },
  shedLag: {
    kind: 'duration',
    default: '100ms',
    min: 0,
    max: 60_000,
    description: "Lag of the proxy's own event loop, sustained, from which it refuses new requests; 0s = never.",
  },
  shedHeapPercent: {
    kind: 'number',
    min: 0,
    max: 100,
    default: 90,
    description: 'Share of its heap limit in use from which the proxy refuses new requests; 0 = never.',
  },
  limit: {
    kind: 'list',
    itemsMax: 100,
    placeholder: '<name>=<value>',
    pattern: /^[A-Za-z0-9]+=[0-9]+$/,
    description:
      'Another bound for HTTP/2 connections, e.g. concurrentStreamsMax=100; all are in sidecar/http2/limits.ts.',
  },
  logFormat: {
    kind: 'choice',
    choices: ['auto', 'json', 'pretty'],
    default: 'auto',
    description: 'auto: pretty on a terminal, else JSON lines.',
  },
  logLevel: {
    kind: 'choice',
    choices: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    description: 'What is logged.',
  },
  accessLogSample: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0.01,
    description: 'Share of requests in the access log.',
  },
  recordRequests: {
    kind: 'integer',
    min: 0,
    max: 262_144,
    default: 16_384,
    description:
      'Requests to the app that are remembered, without header fields, to tell what a policy would do with them; 24 bytes each. 0: none, and nobody can tell.',
  },
  bufferMax: {
    kind: 'size',
    min: 1024 * 1024,
    max: 1024 ** 4,
    description:
      'Content that may wait here for slow readers, all connections together. Default: 40 % of the memory limit of the container, 256MiB without one.',
  },
  parkingMemoryMax: {
    kind: 'size',
    default: '32MiB',
    min: 64 * 1024,
    max: 1024 ** 3,
    description:
      'Content kept for requests that may be parked (outbound.parking) while they wait for an answer; at the bound a request is not parkable.',
  },
  drainTimeout: {
    kind: 'duration',
    default: '30s',
    min: 0,
    max: 3_600_000,
    description: 'How long requests in flight may take after a signal to end.',
  },
});

export type SidecarConfig = OptionValues<typeof sidecarOptions>;

export const sidecarExamples = [
  'weir sidecar --app 127.0.0.1:8080 --policy policy.yaml',
  'weir sidecar --service shop/orders --app 127.0.0.1:50051 --upstream 50052=shop/payments --nats nats://127.0.0.1:4222',
  'curl http://127.0.0.1:15006/',
];

/** Whether only this machine can reach the address. */
export function isLoopback(address: ListenAddress): boolean {
  if ('path' in address) return true;
  return /^(127(\.[0-9]{1,3}){3}|::1|localhost)$/.test(address.host);
}

/** What no single option can know to be wrong. */
/** `natsSecrets`: those in the environment. */
export function checkConfig(config: SidecarConfig, natsSecrets: NatsSecrets = {}): string[] {
  const errors: string[] = [];
  const refuse = (ok: boolean, message: string): void => {
    if (!ok) errors.push(message);
  };
  refuse(
    parseServiceKey(config.service) !== undefined,
    `--service ${config.service}: not <namespace>/<service> of DNS labels`,
  );
  refuse(
    config.app === undefined || parseUpstreamAddress(config.app)?.service === '',
    `--app ${config.app}: not host:port, unix:/path or tls://host:port`,
  );
  refuse(
    config.appHealth === undefined || (config.app !== undefined && !config.app.startsWith('tls://')),
    '--app-health needs --app, and one without TLS',
  );
  refuse(
    config.advertise === undefined || parseAddress(config.advertise) !== undefined,
    `--advertise ${config.advertise}: not host:port`,
  );
  for (const entry of config.endpoint) {
    refuse(
      parseAddress(entry.slice(entry.indexOf('=') + 1)) !== undefined,
      `--endpoint ${entry}: not <ns>/<svc>=host:port`,
    );
  }
  refuse(
    config.app === undefined ||
      isLoopback(config.inbound) ||
      config.meshTokenFile !== undefined ||
      config.tlsClientCaFile !== undefined,
    '--inbound beyond loopback needs --tls-client-ca-file (mutual TLS) or --mesh-token-file: nothing listens to others without a credential',
  );
  errors.push(...tlsConfigErrors(config));
  errors.push(...consumerConfigErrors(config, { app: config.app !== undefined, nats: config.nats !== undefined }));
  refuse(
    isLoopback(config.outbound),
    '--outbound must be on loopback: it lends the identity of the app to whoever connects',
  );
  refuse(isLoopback(config.health), '--health must be on loopback; probe it with `weir probe ready`');
  refuse(isLoopback(config.admin), '--admin must be on loopback or a Unix socket');
  refuse(
    isLoopback(config.metrics) || config.metricsTokenFile !== undefined,
    '--metrics beyond loopback needs --metrics-token-file',
  );
  for (const error of parseLimits(config.limit).errors) errors.push(`--limit: ${error}`);
  const reach = natsAccessOf(config, natsSecrets);
  if (reach && !reach.ok) errors.push(...reach.errors);
  return errors;
}

/** Settings about TLS that only make sense together. */
function tlsConfigErrors(config: SidecarConfig): string[] {
  const errors: string[] = [];
  const { app, tlsCertFile, tlsKeyFile, tlsClientCaFile, proxyProtocol } = config;
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined)) {
    errors.push('--tls-cert-file and --tls-key-file need each other');
  }
  if (tlsClientCaFile !== undefined && tlsCertFile === undefined) {
    errors.push('--tls-client-ca-file needs --tls-cert-file: callers show a certificate only over TLS');
  }
  const { upstreamTls, upstreamTlsCertFile, upstreamTlsKeyFile, upstreamTlsCaFile, upstreamTlsIdentity } = config;
  if ((upstreamTlsCertFile === undefined) !== (upstreamTlsKeyFile === undefined)) {
    errors.push('--upstream-tls-cert-file and --upstream-tls-key-file need each other');
  }
  const toServices = [upstreamTlsCertFile, upstreamTlsKeyFile, upstreamTlsCaFile, upstreamTlsIdentity[0]];
  if (!upstreamTls && toServices.some((value) => value !== undefined)) {
    errors.push('--upstream-tls-… settings need --upstream-tls: without it services are dialled in plain text');
  }
  for (const template of upstreamTlsIdentity) {
    if (isIdentityTemplate(template)) continue;
    errors.push(`--upstream-tls-identity ${template}: not a DNS name or URI with {service} in it, nor "any"`);
  }
  const isAppOverTls = app !== undefined && parseUpstreamAddress(app)?.isTls === true;
  if (!isAppOverTls && (config.appTlsCaFile !== undefined || config.appTlsName !== undefined)) {
    errors.push('--app-tls-… settings need --app tls://host:port');
  }
  if (proxyProtocol && app === undefined) errors.push('--proxy-protocol needs --app: it is for the inbound listener');
  return errors;
}

/** Undefined when the proxy stands alone. */
export function natsAccessOf(config: SidecarConfig, secrets: NatsSecrets): NatsAccessCheck | undefined {
  return config.nats === undefined ? undefined : checkNatsAccess(config.nats, config, secrets);
}

export function splitPair(entry: string): [left: string, right: string] {
  const at = entry.indexOf('=');
  return [entry.slice(0, at), entry.slice(at + 1)];
}

export function serviceNameOf(config: SidecarConfig): ServiceName {
  return parseServiceKey(config.service) ?? { namespace: 'default', service: 'app' };
}
