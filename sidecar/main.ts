/**
 * `weir sidecar`: reads the settings, starts the proxy, and ends it in order on a signal. Exit codes: 0 after a drain,
 * 64 for settings that cannot be, 70 when a port cannot be had or the program itself fails.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml } from 'yaml';
import { helpText, parseOptions, peekOption } from '../proto/kernel/options.ts';
import { natsFileErrors } from '../proto/nats-access.ts';
import { parsePolicyYaml } from '../proto/policy/parse.ts';
import type { PolicySpec } from '../proto/policy/schema.ts';
import { Sidecar } from './app.ts';
import { checkConfig, natsAccessOf, type SidecarConfig, sidecarExamples, sidecarOptions } from './config.ts';
import { createStdoutLog } from './io/log-sink.ts';
import { tlsFileErrors } from './io/tls/tls-setup.ts';
import { policiesByTarget } from './policy/policy-file.ts';

const exitUsage = 64;
const exitInternal = 70;
const version = '0.1.0';

export async function main(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const errors: string[] = [];
  const read = (path: string, what: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      errors.push(`${what} ${path}: ${error instanceof Error ? error.message : String(error)}`);
      return '';
    }
  };
  const configPath = peekOption('config', { argv, env });
  const file = configPath === undefined ? undefined : parseFile(read(configPath, '--config'), configPath, errors);
  const parsed = parseOptions(sidecarOptions, { argv, env, file });
  if (parsed.ok && parsed.help) {
    process.stdout.write(helpText('weir sidecar', sidecarOptions, sidecarExamples));
    return 0;
  }
  if (!parsed.ok) return refuse([...errors, ...parsed.errors]);
  const config = parsed.values;
  const natsSecrets = { natsToken: env.WEIR_NATS_TOKEN, natsPassword: env.WEIR_NATS_PASSWORD };
  errors.push(...checkConfig(config, natsSecrets));
  const secret = (path: string | undefined, what: string): string | undefined => {
    if (path === undefined) return undefined;
    const text = read(path, what).trim();
    if (text === '' && errors.length === 0) errors.push(`${what} ${path}: the file is empty`);
    return text;
  };
  const reach = natsAccessOf(config, natsSecrets);
  const nats = reach?.ok ? reach.access : undefined;
  if (nats) errors.push(...natsFileErrors(nats, (path) => readFileSync(path, 'utf8')));
  const secrets = {
    nats,
    metricsToken: secret(config.metricsTokenFile, '--metrics-token-file'),
    meshToken: secret(config.meshTokenFile, '--mesh-token-file'),
  };
  const policies =
    config.policy === undefined ? null : readPolicies(read(config.policy, '--policy'), config.policy, errors);
  errors.push(...(await tlsFileErrors(config)));
  if (errors.length > 0) return refuse(errors);

  const log = createStdoutLog(config.logFormat, config.logLevel);
  for (const line of policies?.overridden ?? []) log.warn('policy overridden', { detail: line });
  const facts = {
    instance: config.instance ?? defaultInstance(),
    incarnation: randomBytes(8).toString('hex'),
    version,
    seed: randomBytes(4).readUInt32LE(),
    policyFile:
      config.policy === undefined || policies === null
        ? undefined
        : { writtenMs: statSync(config.policy).mtimeMs, targets: new Set(policies.specs.keys()) },
  };
  const sidecar = new Sidecar(config, secrets, facts, policies?.specs ?? new Map<string, PolicySpec>(), log);
  try {
    log.info('listening', await sidecar.start());
  } catch (error) {
    log.error('cannot start', { error: error instanceof Error ? error.message : String(error) });
    await sidecar.stop();
    return exitInternal;
  }
  const signal = await nextSignal();
  log.info('stopping', { signal });
  await finish(sidecar, config);
  log.info('stopped');
  return 0;
}

/** Lets requests in flight end, up to the drain timeout or a second signal. */
async function finish(sidecar: Sidecar, config: SidecarConfig): Promise<void> {
  sidecar.drain();
  const deadline = performance.now() + config.drainTimeout;
  let insisted = false;
  void nextSignal().then(() => {
    insisted = true;
  });
  while (!sidecar.isDrained && performance.now() < deadline && !insisted) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await sidecar.stop();
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

function refuse(errors: readonly string[]): number {
  for (const error of errors) process.stderr.write(`weir sidecar: ${error}\n`);
  process.stderr.write('See weir sidecar --help.\n');
  return exitUsage;
}

function parseFile(text: string, path: string, errors: string[]): unknown {
  try {
    return parseYaml(text);
  } catch (error) {
    errors.push(`--config ${path}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function readPolicies(text: string, path: string, errors: string[]): ReturnType<typeof policiesByTarget> | null {
  const result = parsePolicyYaml(text);
  if (result.ok) return policiesByTarget(result.policies);
  for (const { pointer, message, hint, line, column } of result.errors) {
    const place = line === undefined ? pointer : `${line}:${column ?? 1} ${pointer}`;
    errors.push(`--policy ${path}:${place}: ${message}${hint === undefined ? '' : ` (${hint})`}`);
  }
  return null;
}

function defaultInstance(): string {
  return `${hostname()
    .replace(/[^A-Za-z0-9_-]/g, '-')
    .slice(0, 48)}-${process.pid}`;
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2), process.env);
}
