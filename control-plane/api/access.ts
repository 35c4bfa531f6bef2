/**
 * Who may ask, and for what. Where a credential is asked for, every request but the probes and the dashboard's own files
 * brings a token, as a bearer token or, for what a browser reads, as the session cookie it was exchanged for; a cookie
 * never writes, so no other site can make a browser write. Where none is asked for the API is on loopback, and the name in
 * Host must be loopback too: a page whose name was rebound to 127.0.0.1 still says its own name there. An Origin, where
 * there is one, must be ours.
 *
 * The one token of the settings is an admin; others have the role that they were made with.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { isLoopbackHost } from '../../proto/kernel/options.ts';
import { mayAct, type Principal, type Role } from '../policy/roles.ts';

export const sessionsMax = 1_000;
export const sessionMs = 12 * 3_600_000;
const cookieName = 'weir_session';

export type Denial = { readonly type: 'unauthenticated' | 'forbidden'; readonly detail: string };
export type Answer =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly denial: Denial; readonly by: string };

/** Tokens that were made over the API. */
export interface ManagedTokens {
  principalOf(token: string): Promise<Principal | undefined>;
  isLive(tokenId: string): boolean;
}

export interface AccessOptions {
  /** Of the settings. */
  readonly token: string | undefined;
  readonly tokens: ManagedTokens;
  /** Whether a request must bring one. */
  readonly isRequired: boolean;
  readonly isLoopback: boolean;
  readonly nowMs: () => number;
}

interface Session {
  readonly principal: Principal;
  readonly endsMs: number;
}

const loopback: Principal = { name: 'loopback', role: 'admin', tokenId: '' };
const configured: Principal = { name: 'api-token', role: 'admin', tokenId: '' };

export class Access {
  private readonly options: AccessOptions;
  private readonly tokenHash: Buffer | undefined;
  private readonly sessions = new Map<string, Session>();

  constructor(options: AccessOptions) {
    this.options = options;
    this.tokenHash = options.token === undefined ? undefined : sha256(options.token);
  }

  /** Host and Origin, for every request; undefined when nothing is wrong. */
  checkAddress({ headers }: FastifyRequest): Denial | undefined {
    const host = headers.host ?? '';
    if (this.options.isLoopback && !isLoopbackHost(hostName(host))) {
      return { type: 'forbidden', detail: `the name ${JSON.stringify(host)} is not a loopback name` };
    }
    const { origin } = headers;
    if (origin === undefined) return undefined;
    const isOurs = origin === `http://${host}` || origin === `https://${host}`;
    return isOurs
      ? undefined
      : { type: 'forbidden', detail: `requests of the site ${JSON.stringify(origin)} are not accepted` };
  }

  /** Who asks, if they may act as `needed`. */
  async check(request: FastifyRequest, needed: Role): Promise<Answer> {
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined) {
      const principal = await this.principalOf(/^Bearer +([!-~]{1,512})$/i.exec(authorization)?.[1]);
      if (principal) return allowed(principal, needed);
      if (this.options.isRequired) return denied('unauthenticated', 'the token is not valid');
    }
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    const id = new RegExp(`(?:^|; *)${cookieName}=([0-9a-f]{64})(?:;|$)`).exec(cookie ?? '')?.[1];
    const session = id === undefined ? undefined : this.sessionOf(id);
    if (session) {
      if (isReading) return allowed(session, needed);
      if (this.options.isRequired)
        return denied('forbidden', 'a session may only read: send the token to write', session.name);
    }
    if (!this.options.isRequired) return { ok: true, principal: loopback };
    return denied('unauthenticated', id === undefined ? 'there is no token' : 'the session has ended');
  }

  /** Of a bearer token, wherever it was shown. */
  async principalOf(token: string | undefined): Promise<Principal | undefined> {
    if (token === undefined) return undefined;
    // Hashes are of one length, so that the comparison tells nothing about the token's.
    if (this.tokenHash && timingSafeEqual(sha256(token), this.tokenHash)) return configured;
    return this.options.tokens.principalOf(token);
  }

  /** Who may ask without any. */
  get anybody(): Principal | undefined {
    return this.options.isRequired ? undefined : loopback;
  }

  /** Whether what a principal listens to may go on. */
  isLive({ tokenId }: Principal): boolean {
    return tokenId === '' || this.options.tokens.isLive(tokenId);
  }

  /** The cookie of a new session; at the bound the oldest session ends. */
  openSession(principal: Principal): string {
    const id = randomBytes(32).toString('hex');
    this.sessions.set(id, { principal, endsMs: this.options.nowMs() + sessionMs });
    const oldest = this.sessions.keys().next().value;
    if (this.sessions.size > sessionsMax && oldest !== undefined) this.sessions.delete(oldest);
    return `${cookieName}=${id}; Path=/; Max-Age=${sessionMs / 1000}; HttpOnly; SameSite=Strict`;
  }

  /** It ends with the token that it was opened by. */
  private sessionOf(id: string): Principal | undefined {
    const session = this.sessions.get(id);
    if (session === undefined) return undefined;
    if (this.options.nowMs() < session.endsMs && this.isLive(session.principal)) return session.principal;
    this.sessions.delete(id);
    return undefined;
  }
}

function allowed(principal: Principal, needed: Role): Answer {
  if (mayAct(principal.role, needed)) return { ok: true, principal };
  return denied('forbidden', `this needs the role ${needed}; ${principal.name} is ${principal.role}`, principal.name);
}

function denied(type: Denial['type'], detail: string, by = ''): Answer {
  return { ok: false, denial: { type, detail }, by };
}

function hostName(host: string): string {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+))(?::[0-9]{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase();
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
