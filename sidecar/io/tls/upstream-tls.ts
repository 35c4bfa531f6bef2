/**
 * The client's side of TLS: which certificates and which expectations a new connection has, to an endpoint of a service
 * or to the app. New certificates are for the connections dialled after them.
 */
import tls from 'node:tls';
import type { UpstreamAddress } from '../../routing/address.ts';
import type { Certificates } from './certificate-files.ts';
import { appIdentity, type ExpectedIdentity, serviceIdentity } from './expected-identity.ts';
import { plainTextCodes, tlsDefaults } from './tls-settings.ts';
import { count, type HandshakeResult, type TlsStats } from './tls-stats.ts';

/** Sessions kept for resumption, about 2 KB each; the oldest goes first. */
export const sessionsMax = 1024;

export interface UpstreamTlsOptions {
  /** What certificates of services carry; see expected-identity.ts. */
  readonly identities: readonly string[];
  /** The name in the app's certificate; '' = the host of its address. */
  readonly appName: string;
  readonly stats: TlsStats;
}

export class UpstreamTls {
  private readonly options: UpstreamTlsOptions;
  private services: tls.SecureContext | undefined;
  private app: tls.SecureContext | undefined;
  /** By address, which holds the service's name: a resumed session is not checked again. */
  private readonly sessions = new Map<string, Buffer>();

  constructor(options: UpstreamTlsOptions) {
    this.options = options;
  }

  readonly applyServices = (certificates: Certificates): void => {
    this.services = contextOf(certificates);
    this.sessions.clear();
  };

  readonly applyApp = (certificates: Certificates): void => {
    this.app = contextOf(certificates);
    this.sessions.clear();
  };

  /** What tls.connect needs beside the place; `key` is the address as text. */
  optionsFor(key: string, address: UpstreamAddress, protocol: 'h2' | 'http/1.1'): tls.ConnectionOptions {
    const isApp = address.service === '';
    const { appName, identities } = this.options;
    const expected = isApp
      ? appIdentity(appName || address.host || 'localhost')
      : serviceIdentity(address.service, identities);
    return {
      ...tlsDefaults,
      secureContext: isApp ? this.app : this.services,
      ALPNProtocols: [protocol],
      servername: expected.serverName,
      rejectUnauthorized: true,
      checkServerIdentity: (_host, certificate) => identityError(expected, certificate.raw),
      session: this.sessions.get(sessionKey(key, protocol)),
    };
  }

  /** Hears of a connection's handshake: counts it, and keeps its sessions. */
  watch(socket: tls.TLSSocket, key: string, protocol: 'h2' | 'http/1.1'): void {
    socket.once('secureConnect', () => this.count(socket.isSessionReused() ? 'resumed' : 'full'));
    socket.on('session', (session) => this.remember(sessionKey(key, protocol), session));
    socket.once('error', (error) => {
      if (!socket.authorized) this.count(resultOf(error));
    });
  }

  /** A handshake that was given up. */
  countTimeout(): void {
    this.count('timeout');
  }

  private remember(key: string, session: Buffer): void {
    this.sessions.delete(key);
    const [oldest] = this.sessions.keys();
    if (this.sessions.size >= sessionsMax && oldest !== undefined) this.sessions.delete(oldest);
    this.sessions.set(key, session);
  }

  private count(result: HandshakeResult): void {
    count(this.options.stats.upstream, result);
  }
}

function contextOf({ cert, key, ca }: Certificates): tls.SecureContext {
  return tls.createSecureContext({ ...tlsDefaults, cert, key, ca: ca === undefined ? undefined : [...ca] });
}

function sessionKey(key: string, protocol: string): string {
  return `${protocol} ${key}`;
}

function identityError(expected: ExpectedIdentity, certificate: Buffer): Error | undefined {
  const problem = expected.problem(certificate);
  return problem === undefined ? undefined : Object.assign(new Error(problem), { code: identityErrorCode });
}

const identityErrorCode = 'ERR_TLS_CERT_ALTNAME_INVALID';
/** OpenSSL's verdicts on a chain, as node names them. */
const chainCode = /CERT|SIGNATURE|VERIFY|CRL|HOSTNAME_MISMATCH/;

function resultOf(error: Error): HandshakeResult {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (plainTextCodes.has(code)) return 'plain_text';
  return chainCode.test(code) ? 'certificate' : 'failed';
}
