/**
 * `weir control-plane`: reads the settings, starts, and ends on SIGTERM or SIGINT. The edges are here: argv, the
 * environment, files and the terminal.
 *
 * Exit codes: 0 ended as asked · 64 bad configuration · 70 it could not go on.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { createLog, formatJson, formatPretty, type Log } from '../proto/kernel/log-format.ts';
import { helpText, parseOptions, peekOption } from '../proto/kernel/options.ts';
import { natsFileErrors } from '../proto/nats-access.ts';
import { type ControlPlane, startControlPlane } from './app.ts';
import { type ControlPlaneConfig, checkConfig, controlPlaneExamples, controlPlaneOptions } from './config.ts';
import { showFirstToken } from './first-token.ts';

const exit = { ok: 0, badConfiguration: 64, internal: 70 } as const;

export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const read = readConfig(argv, env);
  if (read.kind === 'help') {
    process.stdout.write(helpText('weir control-plane', controlPlaneOptions, controlPlaneExamples));
    return exit.ok;
  }
  if (read.kind === 'refused') {
    for (const error of read.errors) process.stderr.write(`weir control-plane: ${error}\n`);
    process.stderr.write('Try "weir control-plane --help".\n');
    return exit.badConfiguration;
  }
  const { config } = read;
  const log = createLogOf(config, env);
  const ended = whenAskedToEnd(log);
  let controlPlane: ControlPlane;
  try {
    controlPlane = await startControlPlane({
      config,
      log,
      dashboardFolder: fileURLToPath(new URL('./dashboard/', import.meta.url)),
      version: packageVersion(),
      onFirstToken: (token, expiresAt) => showFirstToken(token, expiresAt, config.firstTokenFile, log),
    });
  } catch (error) {
    log.error('could not start', { error });
    return exit.internal;
  }
  log.info('listening', {
    api: controlPlane.url,
    metrics: controlPlane.metricsUrl,
    grpc: controlPlane.grpcAddress,
    id: config.id,
    nats: config.natsAccess.servers.join(','),
  });
  const signal = await ended;
  log.info('ending', { signal });
  await controlPlane.close();
  log.info('ended');
  return exit.ok;
}

type ReadConfig =
  | { readonly kind: 'config'; readonly config: ControlPlaneConfig }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly errors: readonly string[] };

function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): ReadConfig {
  const errors: string[] = [];
  const reading = <T>(what: string, path: string | undefined, as: (text: string) => T): T | undefined => {
    if (path === undefined) return undefined;
    try {
      return as(readFileSync(path, 'utf8'));
    } catch (error) {
      errors.push(`${what} ${path}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const file: unknown = reading('--config', peekOption('config', { argv, env }), (text): unknown => parse(text));
  const parsed = parseOptions(controlPlaneOptions, { argv, env, file });
  if (!parsed.ok) return { kind: 'refused', errors: [...errors, ...parsed.errors] };
  if (parsed.help) return { kind: 'help' };
  const { apiTokenFile, metricsTokenFile } = parsed.values;
  const trimmed = (text: string): string => text.trim();
  const apiToken = reading('--api-token-file', apiTokenFile, trimmed) ?? (env.WEIR_API_TOKEN || undefined);
  const metricsToken = reading('--metrics-token-file', metricsTokenFile, trimmed);
  if (metricsToken === '') errors.push(`--metrics-token-file ${metricsTokenFile}: the file is empty`);
  const secrets = { apiToken, metricsToken, natsToken: env.WEIR_NATS_TOKEN, natsPassword: env.WEIR_NATS_PASSWORD };
  const checked = checkConfig(parsed.values, secrets);
  if (!checked.ok) errors.push(...checked.errors);
  else errors.push(...natsFileErrors(checked.config.natsAccess, (path) => readFileSync(path, 'utf8')));
  if (errors.length > 0 || !checked.ok) return { kind: 'refused', errors };
  return { kind: 'config', config: checked.config };
}

function createLogOf({ logFormat, logLevel }: ControlPlaneConfig, env: NodeJS.ProcessEnv): Log {
  const { stdout } = process;
  const isTerminal = stdout.isTTY === true;
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && isTerminal);
  const colour = isTerminal && !env.NO_COLOR;
  // Whoever read the log may go before us.
  stdout.on('error', () => {});
  return createLog(logLevel, (entry) => {
    const record = { ...entry, wallMs: Date.now() };
    stdout.write(`${isPretty ? formatPretty(record, colour) : formatJson(record)}\n`);
  });
}

function whenAskedToEnd(log: Log): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        // Asked twice is meant.
        if (asked) process.exit(exit.internal);
        asked = true;
        resolve(signal);
      });
    }
    process.on('uncaughtException', (error) => {
      log.error('uncaught', { error, stack: error.stack });
      process.exit(exit.internal);
    });
  });
}

/** From the package, which is above `dist/control-plane` as it is above `control-plane`. */
function packageVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const text: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (typeof text === 'object' && text !== null && 'version' in text && typeof text.version === 'string')
        return text.version;
    } catch {
      // It is at the other place.
    }
  }
  return 'unknown';
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) {
  process.exit(await main(process.argv.slice(2), process.env));
}
