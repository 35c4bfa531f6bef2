/**
 * The client's side of TLS: which certificates and which expectations a new connection has, to an endpoint of a service
 * or to the app. New certificates are for the connections dialled after them.
 */
import tls from 'node:tls';
import type { Log } from '../../../proto/kernel/log-format.ts';
import { SingleRateLimiter } from '../../admission/rate-limiter.ts';
import type { UpstreamAddress } from '../../routing/address.ts';
import { clock, tick } from '../clock.ts';
import type { Certificates } from './certificate-files.ts';
import { appIdentity, type ExpectedIdentity, serviceIdentity } from './expected-identity.ts';
import { plainTextCodes, tlsDefaults } from './tls-settings.ts';
import { count, type HandshakeResult, type TlsStats } from './tls-stats.ts';

/** Sessions kept for resumption, about 2 KB each; the oldest goes first. */
export const sessionsMax = 1024;
/** A resumed session is not judged again, and brings the next one: after this the other side must prove itself anew. */
export const sessionAgeMaxMs = 3_600_000;
/** Lines about failed handshakes. */
const failureLines = { kind: 'tokenBucket', ratePerSecond: 0.1, burst: 5 } as const;

interface Session {
  readonly ticket: Buffer;
  /** When the certificate behind it was judged. */
  readonly provedMs: number;
}

export interface UpstreamTlsOptions {
  /** What certificates of services carry; see expected-identity.ts. */
  readonly identities: readonly string[];
  /** The name in the app's certificate; '' = the host of its address. */
  readonly appName: string;
  readonly stats: TlsStats;
  readonly log: Log;
}

export class UpstreamTls {
  private readonly options: UpstreamTlsOptions;
  private services: tls.SecureContext | undefined;
  private app: tls.SecureContext | undefined;
  /** By address, which holds the service's name: a resumed session is not checked again. */
  private readonly sessions = new Map<string, Session>();

  private readonly logLimit = new SingleRateLimiter(failureLines);

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
      session: this.resumable(sessionKey(key, protocol))?.ticket,
    };
  }

  /** Hears of a connection's handshake: counts it, and keeps its sessions. */
  watch(socket: tls.TLSSocket, key: string, protocol: 'h2' | 'http/1.1'): void {
    const id = sessionKey(key, protocol);
    const resumedMs = this.resumable(id)?.provedMs;
    socket.once('secureConnect', () => this.count(socket.isSessionReused() ? 'resumed' : 'full'));
    socket.on('session', (ticket) => {
      const provedMs = socket.isSessionReused() && resumedMs !== undefined ? resumedMs : clock.nowMs;
      this.remember(id, { ticket, provedMs });
    });
    socket.once('error', (error) => {
      if (!socket.authorized && !socket.connecting) this.onFailed(key, error);
    });
  }

  /** A handshake that was given up. */
  countTimeout(): void {
    this.count('timeout');
  }

  private resumable(id: string): Session | undefined {
    const session = this.sessions.get(id);
    return session !== undefined && clock.nowMs - session.provedMs < sessionAgeMaxMs ? session : undefined;
  }

  private remember(id: string, session: Session): void {
    this.sessions.delete(id);
    const [oldest] = this.sessions.keys();
    if (this.sessions.size >= sessionsMax && oldest !== undefined) this.sessions.delete(oldest);
    this.sessions.set(id, session);
  }

  private onFailed(address: string, error: Error): void {
    this.count(resultOf(error));
    if (this.logLimit.tryAcquire('', tick()) === 0) {
      this.options.log.warn('TLS with an upstream failed', { upstream: address, error: error.message });
    }
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
