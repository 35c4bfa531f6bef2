/** Access tokens and the audit of denials, on a bus in memory, with time moved by hand. */
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { isSameHash } from '../../../control-plane/policy/access-token.ts';
import { mayAct } from '../../../control-plane/policy/roles.ts';
import { Audit } from '../../../control-plane/service/audit.ts';
import { AuditLog, denialsPerMinuteMax } from '../../../control-plane/service/audit-log.ts';
import { lookupsPerSecondMax, TokenService, tokensMax } from '../../../control-plane/service/token-service.ts';
import { roleNames } from '../../../proto/api-access.ts';
import { silentLog } from '../../../proto/kernel/log-format.ts';
import { buckets } from '../../../proto/subjects.ts';
import { MemoryBus } from '../../support/memory-bus.ts';
import { until } from '../../support/until.ts';

const dayMs = 24 * 3_600_000;
let nowMs: number;
let wallMs: number;
let bus: MemoryBus;
let made: number;

const clock = { nowMs: () => nowMs, wallMs: () => wallMs };
const service = (): TokenService =>
  new TokenService({
    bus,
    replicas: 1,
    audit: new Audit(bus, silentLog),
    clock,
    log: silentLog,
    randomId: () => (++made).toString(16).padStart(12, '0'),
    randomSecret: () => String(made).padStart(43, 's'),
    hashOf: (text) => createHash('sha256').update(text).digest('hex'),
  });

beforeEach(() => {
  nowMs = 0;
  wallMs = 1_764_000_000_000;
  bus = new MemoryBus();
  made = 0;
});

async function create(tokens: TokenService, expiresIn?: string): Promise<string> {
  const outcome = await tokens.create({ name: 'ann', role: 'editor', expiresIn }, 'test', false);
  if (outcome.kind !== 'ok') throw new Error(outcome.kind);
  return outcome.token;
}

describe('TokenService', () => {
  it('knows a token until it expires, and by nothing but the whole of it', async () => {
    const tokens = service();
    await tokens.sync();
    const token = await create(tokens, '1h');
    expect(await tokens.principalOf(token)).toMatchObject({ name: 'token ann', role: 'editor' });
    expect(await tokens.principalOf(`${token.slice(0, -1)}x`)).toBeUndefined();
    expect(await tokens.principalOf(token.slice(0, -1))).toBeUndefined();
    wallMs += 3_600_000 - 1;
    expect(await tokens.principalOf(token)).toBeDefined();
    wallMs += 1;
    expect(await tokens.principalOf(token)).toBeUndefined();
  });

  it('makes the first token for one control plane, again once nobody is an admin any more', async () => {
    const [one, other] = [service(), service()];
    await Promise.all([one.sync(), other.sync()]);
    const firsts = await Promise.all([one.first(), other.first()]);
    expect(firsts.filter(Boolean)).toHaveLength(1);
    expect(await service().first()).toBeUndefined();
    wallMs += dayMs;
    expect(await service().first()).toMatchObject({ view: { name: 'first', role: 'admin' } });
  });

  it('makes no more than so many, and room by what has expired', async () => {
    const tokens = service();
    await tokens.sync();
    for (let i = 0; i < tokensMax; i++) await create(tokens, i === 7 ? '1h' : undefined);
    expect(await tokens.create({ name: 'b', role: 'viewer' }, 'test', false)).toMatchObject({ kind: 'full' });
    wallMs += 3_600_000;
    await create(tokens);
    expect(tokens.list()).toHaveLength(tokensMax);
  });

  it('asks for unknown tokens only so often', async () => {
    const tokens = service();
    await tokens.sync();
    const bucket = bus.bucket(buckets.access);
    const unknown = (i: number): string => `weir_${i.toString(16).padStart(12, 'a')}_${'x'.repeat(43)}`;
    for (let i = 0; i < 100; i++) await tokens.principalOf(unknown(i));
    expect(bucket.reads).toBe(lookupsPerSecondMax);
    nowMs += 1_001;
    await tokens.principalOf(unknown(1));
    expect(bucket.reads).toBe(lookupsPerSecondMax + 1);
  });

  it('believes what it knows without NATS, and writes it again into a new bucket', async () => {
    const tokens = service();
    await tokens.sync();
    const token = await create(tokens);
    bus.connected = false;
    expect(await tokens.principalOf(token)).toBeDefined();
    expect(await tokens.create({ name: 'b', role: 'viewer' }, 'test', false)).toMatchObject({ kind: 'unavailable' });
    bus.connected = true;
    const bucket = bus.bucket(buckets.access);
    bucket.entries.clear();
    bucket.createdMs++;
    await tokens.sync();
    const another = service();
    await another.sync();
    expect(await another.principalOf(token)).toBeDefined();
  });
});

describe('mayAct', () => {
  it('gives each role what the one before it has', () => {
    const table = roleNames.map((as) => roleNames.map((needed) => (mayAct(as, needed) ? 1 : 0)).join(''));
    expect(table).toEqual(['1000', '1100', '1110', '1111']);
  });
});

describe('isSameHash', () => {
  it('is true of equals only', () => {
    expect([isSameHash('ab', 'ab'), isSameHash('ab', 'ac'), isSameHash('abc', 'ab'), isSameHash('', 'ab')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('AuditLog', () => {
  it('records denials one by one, and of a flood how many there were', async () => {
    const audit = new Audit(bus, silentLog);
    const log = new AuditLog(bus, audit, clock);
    const appended = async (count: number): Promise<void> => {
      await until(() => bus.appended.length >= count, { what: `${count} entries`, intervalMs: 1 });
      expect(bus.appended).toHaveLength(count);
    };
    const denied = { by: '', action: 'GET /', why: 'there is no token', from: '127.0.0.1' };
    for (let i = 0; i < denialsPerMinuteMax + 500; i++) log.denied(denied);
    await appended(denialsPerMinuteMax);
    nowMs += 60_000;
    log.tick();
    await appended(denialsPerMinuteMax + 1);
    expect(bus.appended.at(-1)?.text).toContain('500 more were denied in a minute');
    nowMs += 60_000;
    log.tick();
    log.denied(denied);
    await appended(denialsPerMinuteMax + 2);
  });
});
