/**
 * Everything that the settings say about TLS, opened: certificates read, checked and watched, and the two sides that use
 * them. Connections that stand are never touched by a reload.
 */
import { type Log, silentLog } from '../../../proto/kernel/log-format.ts';
import { flagOf } from '../../../proto/kernel/options.ts';
import type { SidecarConfig } from '../../config.ts';
import { parseUpstreamAddress } from '../../routing/address.ts';
import { identityTemplateDefault } from '../../routing/identity-template.ts';
import { CertificateError, type CertificateFiles, type NamedFile } from './certificate-files.ts';
import { type CertificateUse, CertificateWatch } from './certificate-watch.ts';
import { TlsAcceptor } from './tls-acceptor.ts';
import { type TlsReading, TlsStats } from './tls-stats.ts';
import { UpstreamTls } from './upstream-tls.ts';

export interface ProxyTls {
  /** null = the inbound listener takes plain text. */
  readonly acceptor: TlsAcceptor | null;
  /** null = neither services nor the app are dialled over TLS. */
  readonly upstream: UpstreamTls | null;
  readonly stats: TlsStats;
  reading(): TlsReading;
  close(): void;
}

export interface TlsSetupOptions {
  readonly log: Log;
  /** Of several threads, which all watch the same files, one says what became of them. */
  readonly isSilentAboutFiles?: boolean;
  /** See TlsAcceptorOptions. */
  readonly ticketSeed?: Uint8Array | undefined;
}

/** Rejects with a CertificateError that names every file that cannot be used, a line each. */
export async function openTls(config: SidecarConfig, options: TlsSetupOptions): Promise<ProxyTls> {
  const { log, isSilentAboutFiles = false, ticketSeed } = options;
  const stats = new TlsStats();
  const uses: CertificateUse[] = [];
  const acceptor =
    config.tlsCertFile === undefined
      ? null
      : new TlsAcceptor({ requireClientCertificate: config.tlsClientCaFile !== undefined, stats, ticketSeed });
  if (acceptor !== null) {
    const files = filesOf(config, 'tlsCertFile', 'tlsKeyFile', 'tlsClientCaFile');
    uses.push({ name: 'inbound', files, apply: acceptor.apply });
  }
  const isAppOverTls = parseUpstreamAddress(config.app ?? '')?.isTls === true;
  const identities = config.upstreamTlsIdentity.length > 0 ? config.upstreamTlsIdentity : [identityTemplateDefault];
  const upstream =
    config.upstreamTls || isAppOverTls
      ? new UpstreamTls({ identities, appName: config.appTlsName ?? '', stats, log })
      : null;
  if (upstream !== null && config.upstreamTls) {
    const files = filesOf(config, 'upstreamTlsCertFile', 'upstreamTlsKeyFile', 'upstreamTlsCaFile');
    uses.push({ name: 'upstream', files, apply: upstream.applyServices });
  }
  if (upstream !== null && isAppOverTls) {
    uses.push({ name: 'app', files: filesOf(config, null, null, 'appTlsCaFile'), apply: upstream.applyApp });
  }
  const watches = await startAll(uses, config.tlsReloadInterval, isSilentAboutFiles ? silentLog : log);
  return {
    acceptor,
    upstream,
    stats,
    reading: () => stats.reading(watches),
    close: () => {
      for (const watch of watches) watch.close();
    },
  };
}

/** What is wrong with the files that the settings name, a line each. */
export async function tlsFileErrors(config: SidecarConfig): Promise<string[]> {
  try {
    (await openTls(config, { log: silentLog })).close();
    return [];
  } catch (error) {
    if (error instanceof CertificateError) return error.message.split('\n');
    throw error;
  }
}

async function startAll(uses: readonly CertificateUse[], intervalMs: number, log: Log): Promise<CertificateWatch[]> {
  const watches: CertificateWatch[] = [];
  const errors: string[] = [];
  for (const use of uses) {
    try {
      watches.push(await CertificateWatch.start(use, intervalMs, log));
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      errors.push(error.message);
    }
  }
  if (errors.length === 0) return watches;
  for (const watch of watches) watch.close();
  throw new CertificateError(errors.join('\n'));
}

type FileSetting =
  | 'tlsCertFile'
  | 'tlsKeyFile'
  | 'tlsClientCaFile'
  | 'upstreamTlsCertFile'
  | 'upstreamTlsKeyFile'
  | 'upstreamTlsCaFile'
  | 'appTlsCaFile';

function filesOf(
  config: SidecarConfig,
  cert: FileSetting | null,
  key: FileSetting | null,
  ca: FileSetting,
): CertificateFiles {
  const named = (setting: FileSetting | null): NamedFile | null => {
    const path = setting === null ? undefined : config[setting];
    return setting === null || path === undefined ? null : { setting: flagOf(setting), path };
  };
  return { cert: named(cert), key: named(key), ca: named(ca) };
}
