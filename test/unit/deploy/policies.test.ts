/** The ready-made policies do what their comments say: each is parsed, compiled and met by traffic. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { parsePolicyDocument, parsePolicyYaml } from '../../../proto/policy/parse.ts';
import type { TrafficPolicy } from '../../../proto/policy/schema.ts';
import { Tier } from '../../../proto/tiers.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import type { CompiledInbound } from '../../../sidecar/policy/compiled.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';
import { Outcome } from '../../../sidecar/resilience/outcome.ts';

const folder = new URL('../../../deploy/policies/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const origin = { epoch: '0', version: 1, hash: '' };

function policyIn(file: string): TrafficPolicy {
  const result = parsePolicyYaml(readFileSync(new URL(file, folder), 'utf8'));
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  expect(result.policies).toHaveLength(1);
  return result.policies[0]!;
}

/** As its own sidecar and as one of its callers would obey it, enforced. */
function live(file: string): LivePolicy {
  const { spec } = policyIn(file);
  const policy = new LivePolicy(`default/${spec.target.service}`);
  policy.apply({ ...spec, enforcement: 'enforce' }, origin, 0);
  return policy;
}

const get = (path: string) =>
  HeaderList.of([
    [':method', 'GET'],
    [':path', path],
  ] as const);
const ruleOf = ({ rateLimits }: CompiledInbound, name: string) => rateLimits.find((rule) => rule.name === name)!;
const admittedOf = (count: number, ask: (i: number) => number): number =>
  Array.from({ length: count }, (_, i) => ask(i)).filter((answer) => answer <= 0).length;

describe('policies to begin with', () => {
  it('are those that the documentation names', () => {
    expect(files).toEqual(['batch-consumer.yaml', 'critical-dependency.yaml', 'public-api.yaml', 'streaming.yaml']);
  });

  it.each(files)(
    '%s is called like its file, explains itself and stays valid with every default written out',
    (file) => {
      const policy = policyIn(file);
      expect([`${policy.metadata.name}.yaml`, `${policy.spec.target.service}.yaml`]).toEqual([file, file]);
      const effective = { ...policy, spec: withDefaults(policy.spec) };
      expect(parsePolicyDocument(JSON.parse(JSON.stringify(effective)))).toMatchObject({ ok: true });
      const comments = readFileSync(new URL(file, folder), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('#'));
      expect(comments.length).toBeGreaterThan(10);
      expect(comments).toContain('# To adapt:');
    },
  );

  it('public-api gives each client its share, the service a ceiling, and counts a search for ten', () => {
    const { inbound } = live('public-api.yaml');
    const perClient = ruleOf(inbound, 'per-client');
    expect(admittedOf(100, () => perClient.tryAcquire('greedy', 0))).toBe(60);
    expect(perClient.tryAcquire('other', 0)).toBe(0);
    const quota = ruleOf(inbound, 'quota');
    expect(admittedOf(1000, () => quota.tryAcquire('greedy', 30_000))).toBe(600);
    expect(admittedOf(1000, () => ruleOf(inbound, 'total').tryAcquire('', 0))).toBe(100);
    const search = live('public-api.yaml').inboundFor(get('/search?q=a')).rateLimits[0]!;
    expect(admittedOf(20, () => search.tryAcquire('a', 0, search.cost.usual))).toBe(5);
    expect(policyIn('public-api.yaml').spec.enforcement).toBe('shadow');
    expect(inbound.signalsAdmitted).toBe(true);
  });

  it('public-api knows what matters, and switches off what can be done without', () => {
    const policy = live('public-api.yaml');
    const { inbound } = policy;
    const tierOf = (head: HeaderList): number => inbound.priorities!.ruleFor(head, '').tier;
    const post = HeaderList.of([
      [':method', 'POST'],
      [':path', '/checkout/1'],
    ] as const);
    const batch = HeaderList.of([
      [':method', 'GET'],
      [':path', '/'],
      ['x-batch', 'nightly'],
    ] as const);
    expect([post, get('/'), batch].map(tierOf)).toEqual([Tier.critical, Tier.normal, Tier.background]);
    expect(policy.inboundFor(get('/recommendations/1'))).toMatchObject({ essential: false, levels: inbound.levels });
    expect(inbound.levels?.settings.restoreAfterMs).toBe(5000);
  });

  it('batch-consumer paces for a minute before it refuses, and takes what trusted callers say of the cost', () => {
    const { inbound } = live('batch-consumer.yaml');
    const pace = ruleOf(inbound, 'pace');
    const answers = Array.from({ length: 600 }, () => pace.tryAcquire('', 0));
    expect(answers.slice(0, 3)).toEqual([0, -20, -40]);
    expect(answers.filter((answer) => answer <= 0)).toHaveLength(501);
    expect(Math.min(...answers)).toBe(-10_000);
    expect(pace.cost).toEqual({ usual: 1, header: 'x-cost', max: 25 });
    expect(inbound.deadline.defaultMs).toBe(600_000);
  });

  it('critical-dependency opens on failures in a row and on slow calls, and closes by probes', () => {
    for (const [outcome, durationMs, calls] of [
      [Outcome.failure, 5, 5],
      [Outcome.success, 350, 20],
    ] as const) {
      const breaker = live('critical-dependency.yaml').outbound.breaker!;
      for (let i = 0; i < calls; i++) {
        expect(breaker.tryAcquire(i)).toBe(0);
        breaker.record(outcome, durationMs, false, breaker.generation, i);
      }
      expect(breaker.tryAcquire(calls)).toBeGreaterThan(0);
      for (let probe = 0; probe < 3; probe++) {
        expect(breaker.tryAcquire(5000 + probe)).toBe(0);
        breaker.record(Outcome.success, 5, breaker.lastAcquireWasProbe, breaker.generation, 5000 + probe);
      }
      expect(breaker.tryAcquire(6000)).toBe(0);
      expect(breaker.lastAcquireWasProbe).toBe(false);
    }
  });

  it('critical-dependency asks slow reads twice, and nothing else, and keeps their last good answers', () => {
    const policy = live('critical-dependency.yaml');
    const reads = policy.outboundFor(get('/v1/cards'));
    expect(reads.retries?.settings.hedging).toMatchObject({ afterMs: 100, nonIdempotent: false });
    expect(reads.fallback?.stale).not.toBeNull();
    expect(reads.breaker).toBe(policy.outbound.breaker);
    expect([policy.outbound.retries?.settings.hedging, policy.outbound.fallback]).toEqual([null, null]);
    expect(policy.outbound.endpoints).toMatchObject({
      slowStart: { windowMs: 10_000 },
      outliers: { consecutiveFailures: 5, latency: { factor: 3 }, maxEjectedPercent: 30 },
    });
  });

  it('streaming lets streams begin one after the other, keeps them small and slow, and lets them last', () => {
    const policy = live('streaming.yaml');
    const { inbound } = policy;
    expect([0, 0, 0].map(() => ruleOf(inbound, 'begin').tryAcquire('', 0))).toEqual([0, -10, -20]);
    expect(admittedOf(50, () => ruleOf(inbound, 'per-caller').tryAcquire('10.0.0.1', 0))).toBe(20);
    expect([inbound.deadline.defaultMs, inbound.deadline.maxMs]).toEqual([0, 0]);
    expect(inbound.flow).toMatchObject({
      windowBytesMax: 65_536,
      stallTimeoutMs: 60_000,
      responsePace: { bytesPerSecond: 1_048_576, messagesPerSecond: 100 },
    });
    const call = HeaderList.of([
      [':method', 'POST'],
      [':path', '/streaming.v1.Control/Ping'],
      ['content-type', 'application/grpc'],
    ]);
    expect(policy.outbound.endpoints.balancer).toEqual({ kind: 'leastRequest' });
    const unary = policy.inboundFor(call);
    expect([unary.concurrencyLimit, unary.deadline.defaultMs]).toEqual([32, 1000]);
    expect(unary.admission).not.toBe(inbound.admission);
  });
});
