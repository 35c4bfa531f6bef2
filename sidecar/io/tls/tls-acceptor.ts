/**
 * The server's side of TLS: takes accepted sockets, shakes hands, and hands on those that came through. node's own
 * tls.Server decides who is authorised; it never listens, the listener feeds it.
 *
 * A handshake holds some 50 KB before anyone has proved anything, so there are at most `handshakesMax`. At the bound the
 * oldest makes room if it has had its time (real ones take milliseconds, slow-loris ones for ever); else the newcomer is
 * closed.
 */
import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import type { Certificates } from './certificate-files.ts';
import { identityOf } from './tls-identity.ts';
import { handshakeTimeoutMs, plainTextCodes, tlsDefaults } from './tls-settings.ts';
import { count, type HandshakeResult, type TlsStats } from './tls-stats.ts';

export const handshakesMax = 1024;
/** Begun in one turn of the loop, some 5 ms of work: a thousand clients that come back at once must not hold up the rest. */
export const handshakesPerTurnMax = 16;
/**
 * A resumed session is not judged again, and each brings a ticket for the next; so a client whose certificate has expired
 * could go on for ever. With new keys it must show its certificate again.
 */
export const ticketPeriodMs = 3_600_000;
/** A handshake this old may be pushed out by a newcomer. */
export const handshakeGraceMs = 1000;

export interface TlsAcceptorOptions {
  /** Mutual TLS: nobody without a certificate of our authorities comes through. */
  readonly requireClientCertificate: boolean;
  readonly stats: TlsStats;
  /** What the keys of session tickets are derived from: threads with one seed resume each other's sessions. */
  readonly ticketSeed?: Uint8Array | undefined;
  readonly wallMs?: () => number;
  readonly handshakesMax?: number;
  readonly handshakesPerTurnMax?: number;
  readonly handshakeGraceMs?: number;
  readonly handshakeTimeoutMs?: number;
}

interface Handshake {
  readonly startedMs: number;
  isPushedOut: boolean;
  /** `identity` is the client's, '' without mutual TLS. */
  readonly onSecure: (socket: tls.TLSSocket, identity: string) => void;
}

export class TlsAcceptor {
  private readonly options: TlsAcceptorOptions;
  private readonly server: tls.Server;
  /** Sockets below TLS whose handshake is under way, the oldest first. */
  private readonly pendingSockets = new Set<net.Socket>();
  private readonly handshakes = new WeakMap<object, Handshake>();
  /** Sockets whose turn has not come, unread; they are pending, and so bounded, as well. */
  private readonly waiting: net.Socket[] = [];
  private begunThisTurn = 0;
  private isTurnAwaited = false;
  private readonly ticketSeed: Uint8Array;
  private trusted = '';
  private ticketPeriod = Number.NaN;

  constructor(options: TlsAcceptorOptions) {
    this.options = options;
    this.ticketSeed = options.ticketSeed ?? randomBytes(32);
    this.server = tls.createServer({
      ALPNProtocols: ['h2', 'http/1.1'],
      requestCert: options.requireClientCertificate,
      rejectUnauthorized: options.requireClientCertificate,
      handshakeTimeout: options.handshakeTimeoutMs ?? handshakeTimeoutMs,
    });
    this.server.on('secureConnection', (socket) => this.onSecure(socket));
    this.server.on('tlsClientError', (error, socket) => this.onFailed(socket, error));
  }

  /** For the handshakes to come; connections that stand are not touched. */
  readonly apply = (certificates: Certificates): void => {
    const { cert, key, ca } = certificates;
    const trusted = createHash('sha256')
      .update((ca ?? []).join(''))
      .digest('hex');
    const period = this.period();
    const ticketKeys = this.ticketKeys(trusted, period);
    this.server.setSecureContext({ ...tlsDefaults, cert, key, ca: ca === undefined ? undefined : [...ca], ticketKeys });
    this.trusted = trusted;
    this.ticketPeriod = period;
  };

  accept(socket: net.Socket, onSecure: (socket: tls.TLSSocket, identity: string) => void): void {
    if (!this.makeRoom()) {
      this.count('handshakes_max');
      socket.destroy();
      return;
    }
    this.handshakes.set(socket, { startedMs: performance.now(), isPushedOut: false, onSecure });
    this.pendingSockets.add(socket);
    socket.once('close', () => this.pendingSockets.delete(socket));
    if (this.begunThisTurn < this.perTurnMax) this.begin(socket);
    else this.waiting.push(socket);
  }

  /** Handshakes under way or waiting for their turn. */
  get pending(): number {
    return this.pendingSockets.size;
  }

  /** Of those, the ones whose turn has not come. */
  get waitingCount(): number {
    return this.waiting.length;
  }

  private get perTurnMax(): number {
    return this.options.handshakesPerTurnMax ?? handshakesPerTurnMax;
  }

  private begin(socket: net.Socket): void {
    if (socket.destroyed) {
      this.count('handshakes_max');
      return;
    }
    this.renewTicketKeys();
    this.begunThisTurn++;
    this.awaitNextTurn();
    this.server.emit('connection', socket);
  }

  private awaitNextTurn(): void {
    if (this.isTurnAwaited) return;
    this.isTurnAwaited = true;
    setImmediate(() => {
      this.isTurnAwaited = false;
      this.begunThisTurn = 0;
      while (this.begunThisTurn < this.perTurnMax && this.waiting.length > 0) this.begin(this.waiting.shift()!);
      if (this.waiting.length > 0) this.awaitNextTurn();
    });
  }

  private makeRoom(): boolean {
    if (this.pending < (this.options.handshakesMax ?? handshakesMax)) return true;
    for (const socket of this.pendingSockets) {
      const handshake = this.handshakes.get(socket);
      if (handshake === undefined) return false;
      if (performance.now() - handshake.startedMs < (this.options.handshakeGraceMs ?? handshakeGraceMs)) return false;
      handshake.isPushedOut = true;
      this.pendingSockets.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  private renewTicketKeys(): void {
    const period = this.period();
    if (period === this.ticketPeriod) return;
    this.ticketPeriod = period;
    this.server.setTicketKeys(this.ticketKeys(this.trusted, period));
  }

  private period(): number {
    return Math.floor((this.options.wallMs?.() ?? Date.now()) / ticketPeriodMs);
  }

  /** The same over reloads of our own certificate, others when other clients are trusted. */
  private ticketKeys(trusted: string, period: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.ticketSeed, '', `${trusted} ${period}`, 48));
  }

  private onSecure(socket: tls.TLSSocket): void {
    const handshake = this.end(socket);
    if (handshake === undefined) {
      socket.destroy();
      return;
    }
    this.count(socket.isSessionReused() ? 'resumed' : 'full');
    const certificate = this.options.requireClientCertificate ? socket.getPeerX509Certificate() : undefined;
    handshake.onSecure(socket, identityOf(certificate?.subjectAltName));
  }

  private onFailed(socket: tls.TLSSocket, error: Error): void {
    this.count(this.end(socket)?.isPushedOut ? 'handshakes_max' : resultOf(error, socket));
    socket.destroy();
  }

  private end(socket: tls.TLSSocket): Handshake | undefined {
    // Where node keeps the socket below; it has been the same since io.js, and a test would tell.
    const below: unknown = Reflect.get(socket, '_parent');
    if (!(below instanceof net.Socket)) return undefined;
    this.pendingSockets.delete(below);
    return this.handshakes.get(below);
  }

  private count(result: HandshakeResult): void {
    count(this.options.stats.downstream, result);
  }
}

function resultOf(error: Error, socket: tls.TLSSocket): HandshakeResult {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (plainTextCodes.has(code)) return 'plain_text';
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout';
  // Not null when the client did show one and it is not good.
  if (socket.authorizationError || /CERTIFICATE|UNKNOWN_CA/.test(code)) return 'certificate';
  return 'failed';
}
