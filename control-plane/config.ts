/**
 * The control plane's settings: one definition for flags, environment and file, and the checks that need more than one
 * of them. Nothing beyond loopback without a credential: neither the API nor the connection to NATS.
 */
import { defineOptions, isLoopbackHost, type OptionValues } from '../proto/kernel/options.ts';
import { checkNatsAccess, type NatsAccess, type NatsSecrets, natsAccessOptions } from '../proto/nats-access.ts';

export const controlPlaneOptions = defineOptions({
  config: { kind: 'string', placeholder: '<file>', description: 'YAML file with any of these settings, in camelCase.' },
  listen: { kind: 'hostPort', default: '127.0.0.1:15080', description: 'Where the API and the dashboard are served.' },
  nats: {
    kind: 'string',
    default: 'nats://127.0.0.1:4222',
    placeholder: '<url>[,<url>…]',
    description: 'The nats-server, or several of one cluster.',
  },
  ...natsAccessOptions,
  natsReplicas: {
    kind: 'integer',
    default: 1,
    min: 1,
    max: 5,
    description: 'Copies of each bucket, when it is created; 3 on a NATS cluster.',
  },
  apiTokenFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'File with the token that the API asks for (or WEIR_API_TOKEN). Required beyond loopback.',
  },
  metrics: {
    kind: 'hostPort',
    description: 'Where GET /metrics is served to Prometheus. Default: nowhere.',
  },
  metricsTokenFile: {
    kind: 'string',
    placeholder: '<file>',
    description: 'File with the bearer token for /metrics; required beyond loopback.',
  },
  grpcListen: {
    kind: 'hostPort',
    description:
      'Where the same use cases are served over gRPC (weir.v1.Control), with health and reflection. Default: nowhere. Beyond loopback it needs what --listen needs.',
  },
  access: {
    kind: 'choice',
    choices: ['auto', 'tokens'],
    default: 'auto',
    description:
      'tokens: every request needs a token that was made over the API, or the one of --api-token-file; when there is no admin, a first token is made, shown once, and valid for a day. auto: the same with --api-token-file; without it everybody on loopback is an admin.',
  },
  firstTokenFile: {
    kind: 'string',
    default: 'weir-admin-token',
    placeholder: '<file>',
    description: 'Where the first token is written (mode 0600) when there is no terminal to show it on.',
  },
  id: {
    kind: 'string',
    default: 'cp-0',
    placeholder: '<id>',
    pattern: /^(?!.{129})[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
    description: 'Name of this control plane, unique in the mesh.',
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
    description: 'The least that is logged.',
  },
});

export const controlPlaneExamples = [
  'weir control-plane --nats nats://127.0.0.1:4222',
  'weir control-plane --listen 0.0.0.0:15080 --api-token-file /etc/weir/api/token --nats-token-file /etc/weir/nats/token',
];

export type ControlPlaneOptions = OptionValues<typeof controlPlaneOptions>;

export interface ControlPlaneConfig extends ControlPlaneOptions {
  readonly natsAccess: NatsAccess;
  readonly apiToken: string | undefined;
  readonly metricsToken: string | undefined;
  /** Whether a request to the API must bring one. */
  readonly isTokenRequired: boolean;
}

/** What the edge read from the token file and the environment. */
export interface Secrets extends NatsSecrets {
  readonly apiToken: string | undefined;
  readonly metricsToken?: string | undefined;
}

export type Checked =
  | { readonly ok: true; readonly config: ControlPlaneConfig }
  | { readonly ok: false; readonly errors: readonly string[] };

export function checkConfig(options: ControlPlaneOptions, secrets: Secrets): Checked {
  const errors: string[] = [];
  const { listen, nats } = options;
  if (secrets.apiToken !== undefined && !isToken(secrets.apiToken)) {
    errors.push('the API token must be 8 to 512 printable characters without spaces');
  }
  const isTokenRequired = secrets.apiToken !== undefined || options.access === 'tokens';
  if (!isLoopbackHost(listen.host) && !isTokenRequired) {
    errors.push(
      `--listen ${listen.host}:${listen.port} is reachable from elsewhere: that needs --api-token-file (or WEIR_API_TOKEN) or --access tokens`,
    );
  }
  if (options.grpcListen && !isLoopbackHost(options.grpcListen.host) && !isTokenRequired) {
    errors.push('--grpc-listen beyond loopback needs --api-token-file (or WEIR_API_TOKEN) or --access tokens');
  }
  if (options.metrics && !isLoopbackHost(options.metrics.host) && options.metricsTokenFile === undefined) {
    errors.push('--metrics beyond loopback needs --metrics-token-file');
  }
  const reach = checkNatsAccess(nats, options, secrets);
  if (!reach.ok) errors.push(...reach.errors);
  if (errors.length > 0 || !reach.ok) return { ok: false, errors };
  const { apiToken, metricsToken } = secrets;
  return { ok: true, config: { ...options, natsAccess: reach.access, apiToken, metricsToken, isTokenRequired } };
}

const isToken = (token: string): boolean => /^[!-~]{8,512}$/.test(token);
