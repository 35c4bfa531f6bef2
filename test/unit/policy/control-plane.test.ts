/** The control plane's side of a policy: which is in force, the bundle it becomes, its revisions and preconditions. */
import { describe, expect, it } from 'vitest';
import { bundleContent, nextBundle, type RevisedPolicy } from '../../../control-plane/policy/resolve.ts';
import {
  changesBetween,
  checkIfMatch,
  createRevision,
  deleteRevision,
  entityTag,
  summaryOf,
  updateRevision,
  withResourceVersion,
} from '../../../control-plane/policy/revisions.ts';
import { parseBundle } from '../../../proto/policy/bundle.ts';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { parsePolicyDocument } from '../../../proto/policy/parse.ts';
import type { PolicySpec, TrafficPolicy } from '../../../proto/policy/schema.ts';
import { fullPolicy } from './documents.ts';

const policy = (name: string, creationTimestamp?: string, spec: Partial<PolicySpec> = {}): TrafficPolicy => ({
  apiVersion: 'weir.dev/v1alpha1',
  kind: 'TrafficPolicy',
  metadata: { name, namespace: 'shop', ...(creationTimestamp && { creationTimestamp }) },
  spec: { target: { service: 'payments' }, ...spec },
});
const revised = (...policies: TrafficPolicy[]): RevisedPolicy[] =>
  policies.map((one, index) => ({ policy: one, revision: index + 1 }));
const inForce = (...policies: TrafficPolicy[]): string | undefined =>
  bundleContent('shop/payments', revised(...policies)).sources[0]?.name;
const epoch = '0001763942400000';
const hashOf = (text: string): string => text.length.toString(16).padStart(16, '0');

describe('bundleContent', () => {
  it('lets the oldest win, in whatever order they come, and names the others', () => {
    const old = policy('zebra', '2026-01-01T00:00:00Z');
    const young = policy('ant', '2026-01-01T00:00:00.001Z');
    const ageless = policy('aardvark');
    for (const order of [
      [old, young, ageless],
      [ageless, young, old],
    ]) {
      const content = bundleContent('shop/payments', revised(...order));
      expect(content.sources.map((source) => source.name)).toEqual(['zebra']);
      expect(content.overridden).toEqual([
        { namespace: 'shop', name: 'ant' },
        { namespace: 'shop', name: 'aardvark' },
      ]);
    }
  });

  it('lets the first by name win among equally old ones', () => {
    const at = '2026-01-01T00:00:00Z';
    expect(inForce(policy('b', at), policy('a', at))).toBe('a');
    expect(inForce(policy('b'), policy('a'))).toBe('a');
  });

  it('carries the defaults, the revision, and nothing of other targets', () => {
    const other = { ...policy('other'), spec: { target: { service: 'orders' } } };
    const content = bundleContent('shop/payments', revised(other, fullPolicy));
    expect(content.stable).toEqual(withDefaults(fullPolicy.spec));
    expect(content.sources).toEqual([{ namespace: 'shop', name: 'payments', revision: 2 }]);
    expect(content.overridden).toEqual([]);
  });
});

describe('nextBundle', () => {
  const content = bundleContent('shop/payments', revised(fullPolicy));
  const first = nextBundle(content, null, epoch, hashOf)!;

  it('begins with version 1 and is a bundle that sidecars accept', () => {
    expect(first).toMatchObject({ v: 1, epoch, version: 1, target: 'shop/payments' });
    expect(parseBundle(JSON.parse(JSON.stringify(first)))).toMatchObject({ ok: true, bundle: first });
  });

  it('is nothing when the published one already says it', () => {
    expect(nextBundle(bundleContent('shop/payments', revised(fullPolicy)), first, epoch, hashOf)).toBeNull();
  });

  it('raises the version when the last policy is gone, and publishes that', () => {
    const gone = nextBundle(bundleContent('shop/payments', []), first, epoch, hashOf);
    expect(gone).toMatchObject({ version: 2, stable: null, sources: [] });
    expect(parseBundle(gone).ok).toBe(true);
  });

  it('begins again in a new epoch, also with the same content', () => {
    expect(nextBundle(content, { ...first, version: 90 }, '0001763942400001', hashOf)).toMatchObject({
      epoch: '0001763942400001',
      version: 1,
    });
  });
});

describe('revisions', () => {
  const facts = { wallMs: Date.UTC(2026, 10, 24), by: 'ada', lastRevision: 0 };
  const created = createRevision({ ...policy('payments'), spec: fullPolicy.spec }, facts);
  const current = created.policy!;

  it('gives the server’s fields to the server, and the result is still a policy', () => {
    const forged = createRevision(
      {
        ...current,
        metadata: {
          ...current.metadata,
          generation: 99,
          resourceVersion: '7',
          creationTimestamp: '1970-01-01T00:00:00Z',
        },
      },
      { ...facts, lastRevision: 4 },
    );
    expect(forged).toMatchObject({ revision: 5, action: 'create', at: '2026-11-24T00:00:00.000Z', by: 'ada' });
    expect(forged.policy?.metadata).toEqual({
      name: 'payments',
      namespace: 'shop',
      generation: 1,
      creationTimestamp: '2026-11-24T00:00:00.000Z',
    });
    expect(parsePolicyDocument(withResourceVersion(current, '12')).ok).toBe(true);
  });

  it('is none when nothing changes, also when only the server’s fields are different', () => {
    const again = withResourceVersion({ ...current, metadata: { ...current.metadata, generation: 40 } }, '999');
    expect(updateRevision(current, again, { ...facts, lastRevision: 1 })).toBeNull();
  });

  it('raises the generation for a changed spec and not for a changed label, and keeps the birthday', () => {
    const later = { wallMs: facts.wallMs + 5000, by: 'bob', lastRevision: 1 };
    const labelled = { ...current, metadata: { ...current.metadata, labels: { team: 'a' } } };
    expect(updateRevision(current, labelled, later)).toMatchObject({
      revision: 2,
      summary: 'labels added',
      policy: { metadata: { generation: 1, creationTimestamp: '2026-11-24T00:00:00.000Z' } },
    });
    const slower = { ...current, spec: { ...current.spec, outbound: { ...current.spec.outbound, timeout: '2s' } } };
    expect(updateRevision(current, slower, later)).toMatchObject({
      revision: 2,
      at: '2026-11-24T00:00:05.000Z',
      summary: 'outbound.timeout "500ms" → "2s"',
      policy: { metadata: { generation: 2 } },
    });
  });

  it('counts a deletion, so that a policy of the same name later overwrites no revision', () => {
    const deleted = deleteRevision({ ...facts, lastRevision: 2 });
    expect(deleted).toMatchObject({ revision: 3, action: 'delete', policy: null });
    expect(createRevision(current, { ...facts, lastRevision: deleted.revision }).revision).toBe(4);
  });

  it('tells rate limits apart by name, and notices when only their order changes', () => {
    const limits = current.spec.inbound!.rateLimits!;
    const withLimits = (rateLimits: typeof limits): TrafficPolicy => ({
      ...current,
      spec: { ...current.spec, inbound: { ...current.spec.inbound, rateLimits } },
    });
    const added = changesBetween(current, withLimits([{ name: 'new', rate: '1/s' }, ...limits]));
    expect(summaryOf(added)).toBe('inbound.rateLimits.new added');
    const reordered = updateRevision(current, withLimits([...limits].reverse()), { ...facts, lastRevision: 1 });
    expect(reordered).toMatchObject({ summary: 'rate limits reordered', policy: { metadata: { generation: 2 } } });
  });

  it('summarises many changes in a line', () => {
    const bare = { ...current, spec: { target: current.spec.target } };
    expect(summaryOf(changesBetween(current, bare))).toBe('enforcement removed, inbound removed, outbound removed');
    const { timeout: _timeout, ...outbound } = current.spec.outbound!;
    const other: TrafficPolicy = {
      ...current,
      metadata: { ...current.metadata, labels: { a: '1' } },
      spec: { ...current.spec, enforcement: 'enforce', inbound: {}, outbound },
    };
    expect(summaryOf(changesBetween(current, other))).toMatch(
      /^labels added, enforcement "shadow" → "enforce", inbound\.\S+ removed and \d+ more$/,
    );
  });
});

describe('checkIfMatch', () => {
  it('is met by the current tag, alone or in a list, and by *', () => {
    expect(entityTag('42')).toBe('"42"');
    for (const header of ['"42"', '"7", "42"', ' "42" ', '*']) expect(checkIfMatch(header, '42')).toBe('met');
  });

  it('is missing without a tag, and stale with any other or a weak one', () => {
    for (const header of [undefined, '', ' , ']) expect(checkIfMatch(header, '42')).toBe('missing');
    for (const header of ['"41"', '42', 'W/"42"', '"421"']) expect(checkIfMatch(header, '42')).toBe('stale');
  });
});
