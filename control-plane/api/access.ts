/**
 * Who may ask. With a token, every request but the probes and the dashboard's own files brings it, as a bearer token or,
 * for what a browser reads, as the session cookie it was exchanged for; a cookie never writes, so no other site can
 * make a browser write. Without a token the API is on loopback, where the name in Host must be loopback too: a page
 * whose name was rebound to 127.0.0.1 still says its own name there. An Origin, where there is one, must be ours.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { isLoopbackHost } from '../../proto/kernel/options.ts';

export const sessionsMax = 1_000;
export const sessionMs = 12 * 3_600_000;
const cookieName = 'weir_session';

export type Denial = { readonly type: 'unauthenticated' | 'forbidden'; readonly detail: string };

export interface AccessOptions {
  readonly token: string | undefined;
  readonly isLoopback: boolean;
  readonly nowMs: () => number;
}

export class Access {
  private readonly options: AccessOptions;
  private readonly tokenHash: Buffer | undefined;
  private readonly sessions = new Map<string, number>();

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

  checkCredential(request: FastifyRequest): Denial | undefined {
    if (!this.tokenHash) return undefined;
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined) {
      const given = /^Bearer +([!-~]{1,512})$/i.exec(authorization)?.[1];
      // Hashes are of one length, so that the comparison tells nothing about the token's.
      if (given !== undefined && timingSafeEqual(sha256(given), this.tokenHash)) return undefined;
      return { type: 'unauthenticated', detail: 'the token is not valid' };
    }
    const session = new RegExp(`(?:^|; *)${cookieName}=([0-9a-f]{64})(?:;|$)`).exec(cookie ?? '')?.[1];
    if (session === undefined) return { type: 'unauthenticated', detail: 'there is no token' };
    if (!this.isSession(session)) return { type: 'unauthenticated', detail: 'the session has ended' };
    if (request.method === 'GET' || request.method === 'HEAD') return undefined;
    return { type: 'forbidden', detail: 'a session may only read: send the token to write' };
  }

  /** The cookie of a new session; at the bound the oldest session ends. */
  openSession(): string {
    const id = randomBytes(32).toString('hex');
    this.sessions.set(id, this.options.nowMs() + sessionMs);
    const oldest = this.sessions.keys().next().value;
    if (this.sessions.size > sessionsMax && oldest !== undefined) this.sessions.delete(oldest);
    return `${cookieName}=${id}; Path=/; Max-Age=${sessionMs / 1000}; HttpOnly; SameSite=Strict`;
  }

  /** Who is asking, for the audit. */
  subject(): string {
    return this.tokenHash ? 'api-token' : 'loopback';
  }

  private isSession(id: string): boolean {
    const endsMs = this.sessions.get(id);
    if (endsMs === undefined) return false;
    if (this.options.nowMs() < endsMs) return true;
    this.sessions.delete(id);
    return false;
  }
}

function hostName(host: string): string {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+))(?::[0-9]{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase();
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
