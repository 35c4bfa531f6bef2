/**
 * Access tokens: made, listed, revoked, and checked at every request. The records are in a bucket of their own that
 * nothing republishes; every control plane keeps them in memory, looks once a second whether they changed, and asks for
 * one that it does not know, so a new token works at once everywhere and a revoked one for another second at most.
 *
 * NATS away: what is in memory is believed until it expires. The bucket gone: what is in memory is written again.
 */

import type { TokenView } from '../../proto/api-access.ts';
import { formatDuration, parseDuration } from '../../proto/kernel/duration.ts';
import type { Log } from '../../proto/kernel/log-format.ts';
import { keys, streams } from '../../proto/subjects.ts';
import { isSameHash, isValidNow, readTokenRecord, type TokenRecord, tokenIdOf } from '../policy/access-token.ts';
import type { Principal, Role } from '../policy/roles.ts';
import type { Audit } from './audit.ts';
import { accessBucket } from './buckets.ts';
import { type Bucket, type Bus, isConflict } from './bus.ts';
import type { Clock } from './clock.ts';
import { attempt, type Outcome } from './outcomes.ts';
import { readJson } from './policy-records.ts';

export const tokensMax = 1_000;
export const tokenLifeMaxMs = 366 * 24 * 3_600_000;
export const tokenLifeDefaultMs = 30 * 24 * 3_600_000;
/** Of the first token: long enough to make others by it. */
export const firstTokenLifeMs = 24 * 3_600_000;
/** Unknown tokens that are looked up in a second; a flood of wrong ones must not become one at NATS. */
export const lookupsPerSecondMax = 20;

export interface TokenServiceOptions {
  readonly bus: Bus;
  readonly replicas: number;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Log;
  /** 48 random bits in hex, and 256 in base64url. */
  readonly randomId: () => string;
  readonly randomSecret: () => string;
  /** SHA-256 in hex. */
  readonly hashOf: (text: string) => string;
}

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  /** Gateway API duration; undefined = 30 days. */
  readonly expiresIn?: string | undefined;
}

export class TokenService {
  private readonly options: TokenServiceOptions;
  private readonly bucket: Bucket;
  private readonly records = new Map<string, { readonly record: TokenRecord; readonly kvRevision: number }>();
  private createdMs = 0;
  private sequence = -1;
  private lookups = 0;
  private lookupsSinceMs = 0;

  constructor(options: TokenServiceOptions) {
    this.options = options;
    this.bucket = options.bus.bucket(accessBucket(options.replicas).name);
  }

  /** Who shows this token; undefined when it is none, or no longer. */
  async principalOf(token: string): Promise<Principal | undefined> {
    const id = tokenIdOf(token);
    if (id === undefined) return undefined;
    const record = this.records.get(id)?.record ?? (await this.lookUp(id));
    if (!record || !isSameHash(this.options.hashOf(token), record.hash)) return undefined;
    return isValidNow(record, this.options.clock.wallMs())
      ? { name: `token ${record.name}`, role: record.role, tokenId: id }
      : undefined;
  }

  /** Whether a session that began with this token may go on. */
  isLive(tokenId: string): boolean {
    const record = this.records.get(tokenId)?.record;
    return record !== undefined && isValidNow(record, this.options.clock.wallMs());
  }

  /** How many are valid now. */
  get validCount(): number {
    const wallMs = this.options.clock.wallMs();
    let count = 0;
    for (const { record } of this.records.values()) if (isValidNow(record, wallMs)) count++;
    return count;
  }

  list(): TokenView[] {
    return [...this.records.values()].map(({ record }) => viewOf(record)).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The token itself is in the answer, and nowhere else. */
  async create(
    { name, role, expiresIn }: NewToken,
    by: string,
    dryRun: boolean,
  ): Promise<Outcome<{ readonly token: string; readonly view: TokenView }>> {
    const lifeMs = expiresIn === undefined ? tokenLifeDefaultMs : (parseDuration(expiresIn) ?? 0);
    if (lifeMs < 1_000 || lifeMs > tokenLifeMaxMs) {
      const message = `must be from 1s to ${formatDuration(tokenLifeMaxMs)}`;
      return { kind: 'invalid', errors: [{ pointer: '/expiresIn', message }] };
    }
    return attempt<{ readonly token: string; readonly view: TokenView }>(this.isUsable(), async () => {
      await this.dropExpired();
      if (this.records.size >= tokensMax)
        return { kind: 'full', detail: `there are ${this.records.size} tokens, the most that are allowed` };
      const { token, record } = this.make(name, role, by, lifeMs);
      if (!dryRun) await this.write(record);
      return { kind: 'ok', token: dryRun ? '' : token, view: viewOf(record) };
    });
  }

  async revoke(id: string, by: string, dryRun: boolean): Promise<Outcome<{ readonly view: TokenView }>> {
    return attempt<{ readonly view: TokenView }>(this.isUsable(), async () => {
      const known = this.records.get(id)?.record ?? (await this.lookUp(id));
      if (!known) return { kind: 'absent', detail: `there is no token ${id}` };
      if (!dryRun) {
        await this.bucket.delete(keys.token(id));
        this.records.delete(id);
        this.note('revoked', known, by);
      }
      return { kind: 'ok', view: viewOf(known) };
    });
  }

  /** Every second, and at every reconnect. */
  async sync(): Promise<void> {
    const { bus, replicas } = this.options;
    const state = (await this.bucket.state()) ?? (await bus.ensureBucket(accessBucket(replicas)));
    if (state.createdMs !== this.createdMs) {
      await bus.ensureBucket(accessBucket(replicas));
      const isAnother = this.createdMs !== 0;
      this.createdMs = state.createdMs;
      if (isAnother) await this.restore();
      this.sequence = -1;
    }
    if (state.lastSequence === this.sequence) return;
    const found = new Map<string, { record: TokenRecord; kvRevision: number }>();
    for (const { key, value, revision } of await this.bucket.list('token')) {
      const record = readTokenRecord(readJson(value));
      if (record && key === keys.token(record.id)) found.set(record.id, { record, kvRevision: revision });
    }
    this.records.clear();
    for (const [id, known] of found) this.records.set(id, known);
    this.sequence = state.lastSequence;
  }

  /**
   * When nobody could make a token: one to begin with, made by one control plane only. Undefined: there is somebody, or
   * another made it.
   */
  async first(): Promise<{ readonly token: string; readonly view: TokenView } | undefined> {
    await this.sync();
    const wallMs = this.options.clock.wallMs();
    if ([...this.records.values()].some(({ record }) => record.role === 'admin' && isValidNow(record, wallMs)))
      return undefined;
    const { token, record } = this.make('first', 'admin', 'first start', firstTokenLifeMs);
    const entry = await this.bucket.get(keys.firstToken);
    const text = JSON.stringify({ v: 1, id: record.id });
    try {
      if (entry) await this.bucket.update(keys.firstToken, text, entry.revision);
      else await this.bucket.create(keys.firstToken, text);
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
    await this.write(record);
    return { token, view: viewOf(record) };
  }

  private make(name: string, role: Role, by: string, lifeMs: number): { token: string; record: TokenRecord } {
    const id = this.options.randomId();
    const token = `weir_${id}_${this.options.randomSecret()}`;
    const createdMs = this.options.clock.wallMs();
    const hash = this.options.hashOf(token);
    return { token, record: { v: 1, id, name, role, hash, by, createdMs, expiresMs: createdMs + lifeMs } };
  }

  private async write(record: TokenRecord): Promise<void> {
    const kvRevision = await this.bucket.create(keys.token(record.id), JSON.stringify(record));
    this.records.set(record.id, { record, kvRevision });
    this.note('created', record, record.by);
  }

  private async lookUp(id: string): Promise<TokenRecord | undefined> {
    const nowMs = this.options.clock.nowMs();
    if (nowMs - this.lookupsSinceMs > 1_000) {
      this.lookupsSinceMs = nowMs;
      this.lookups = 0;
    }
    if (!this.isUsable() || ++this.lookups > lookupsPerSecondMax) return undefined;
    const entry = await this.bucket.get(keys.token(id)).catch(() => undefined);
    const record = entry && readTokenRecord(readJson(entry.value));
    if (!entry || !record || record.id !== id) return undefined;
    this.records.set(id, { record, kvRevision: entry.revision });
    return record;
  }

  /** Who is long gone leaves no trace but in the audit. */
  private async dropExpired(): Promise<void> {
    const wallMs = this.options.clock.wallMs();
    for (const [id, { record }] of this.records) {
      if (wallMs < record.expiresMs) continue;
      this.records.delete(id);
      await this.bucket.purge(keys.token(id));
    }
  }

  private async restore(): Promise<void> {
    this.options.log.warn('the bucket of access tokens is a new one: writing into it what is known', {
      tokens: this.records.size,
    });
    for (const { record } of this.records.values()) {
      await this.bucket.create(keys.token(record.id), JSON.stringify(record)).catch((error: unknown) => {
        if (!isConflict(error)) throw error;
      });
    }
  }

  private isUsable(): boolean {
    return this.options.bus.isConnected() && this.createdMs !== 0;
  }

  private note(what: 'created' | 'revoked', record: TokenRecord, by: string): void {
    const { id, name, role, expiresMs } = record;
    const at = new Date(this.options.clock.wallMs()).toISOString();
    const expiresAt = new Date(expiresMs).toISOString();
    this.options.audit.record(streams.event('token', ownEvents), {
      v: 1,
      kind: 'token',
      at,
      by,
      what,
      id,
      name,
      role,
      expiresAt,
    });
  }
}

/** Of what concerns no service. */
export const ownEvents = { namespace: 'weir', service: 'control-plane' } as const;

function viewOf({ id, name, role, by, createdMs, expiresMs }: TokenRecord): TokenView {
  return {
    id,
    name,
    role,
    by,
    createdAt: new Date(createdMs).toISOString(),
    expiresAt: new Date(expiresMs).toISOString(),
  };
}
