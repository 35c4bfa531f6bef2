/** Bundles: read tolerantly, ordered by epoch and version, hashed by content, split by instance. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Bundle,
  bundleHashInput,
  chooseSpec,
  formatEpoch,
  isNewer,
  parseBundle,
} from '../../../proto/policy/bundle.ts';
import { canonicalJson } from '../../../proto/policy/canonical-json.ts';
import { withDefaults } from '../../../proto/policy/defaults.ts';
import { fullPolicy, minimalPolicy } from './documents.ts';

const bundle: Bundle = {
  v: 1,
  target: 'shop/payments',
  epoch: '0001763942400000',
  version: 7,
  hash: '0123456789abcdef',
  stable: fullPolicy.spec,
  candidate: null,
  percent: 0,
  salt: '',
  sources: [{ namespace: 'shop', name: 'payments', revision: 3 }],
  overridden: [],
  mustUnderstand: [],
};

describe('parseBundle', () => {
  it('accepts a bundle, also one without a policy', () => {
    for (const one of [bundle, { ...bundle, stable: null }, { ...bundle, stable: withDefaults(fullPolicy.spec) }]) {
      expect(parseBundle(one)).toEqual({ ok: true, bundle: one, hashInput: bundleHashInput(one) });
    }
  });

  it('drops what it does not know, hashes it all the same, and leaves its input as it was', () => {
    const newer = {
      ...bundle,
      rolloutStep: 3,
      stable: { ...fullPolicy.spec, inbound: { ...fullPolicy.spec.inbound, forecasts: { horizon: 6 } } },
    };
    const before = canonicalJson(newer);
    const result = parseBundle(newer);
    expect(result.ok && result.bundle).toEqual(bundle);
    expect(result.ok && result.hashInput).toBe(bundleHashInput(newer));
    expect(result.ok && result.hashInput).not.toBe(bundleHashInput(bundle));
    expect(canonicalJson(newer)).toBe(before);
  });

  it('refuses a name in mustUnderstand that it does not know, and only that', () => {
    const demanding = { ...bundle, mustUnderstand: ['forecasts'] };
    expect(parseBundle(demanding)).toEqual({
      ok: false,
      errors: [
        {
          pointer: '/mustUnderstand/0',
          message: 'must be understood, but this version does not know "forecasts"',
          hint: 'upgrade this sidecar',
        },
      ],
    });
    expect(parseBundle(demanding, new Set(['forecasts'])).ok).toBe(true);
  });

  it('refuses a union whose member it does not know rather than enforcing half of it', () => {
    const result = parseBundle({
      ...bundle,
      stable: { ...minimalPolicy.spec, inbound: { concurrency: { clairvoyant: {} } } },
    });
    expect(!result.ok && result.errors.map((error) => error.pointer)).toEqual(['/stable/inbound/concurrency']);
  });

  it('checks the specs it carries, in shape and meaning', () => {
    const result = parseBundle({
      ...bundle,
      candidate: { ...minimalPolicy.spec, inbound: { queue: { waitMax: '1h' } } },
    });
    expect(!result.ok && result.errors.map((error) => error.pointer)).toEqual([
      '/candidate/inbound/queue/waitMax',
      '/candidate/inbound/queue',
    ]);
  });

  it('refuses one that is nested without end', () => {
    const deep = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`);
    expect(parseBundle({ ...bundle, later: deep })).toMatchObject({ ok: false });
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(parseBundle(value).ok).toBe(false);
        parseBundle({ ...bundle, stable: value });
        parseBundle({ ...bundle, mustUnderstand: value });
      }),
    );
  });
});

describe('canonicalJson', () => {
  it('is the same text whatever the order of keys, and reads back as the value', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'é"' }], a: undefined, B: true })).toBe(
      '{"B":true,"b":[1,{"c":"é\\"","d":null}]}',
    );
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });
});

describe('isNewer', () => {
  const at = (epoch: string, version: number) => ({ epoch, version });
  const first = formatEpoch(1763942400000);
  const second = formatEpoch(1763942400001);

  it('takes anything when there is nothing, a later version, and any version of a later epoch', () => {
    expect(isNewer(null, at(first, 1))).toBe(true);
    expect(isNewer(at(first, 7), at(first, 8))).toBe(true);
    expect(isNewer(at(first, 700), at(second, 1))).toBe(true);
  });

  it('refuses the same pair, an earlier version, and any version of an earlier epoch', () => {
    expect(isNewer(at(first, 7), at(first, 7))).toBe(false);
    expect(isNewer(at(first, 7), at(first, 6))).toBe(false);
    expect(isNewer(at(second, 1), at(first, 700))).toBe(false);
  });

  it('orders epochs by time as text', () => {
    expect(formatEpoch(999) < formatEpoch(1000)).toBe(true);
    expect(formatEpoch(1763942400000)).toBe('0001763942400000');
  });
});

describe('chooseSpec', () => {
  const candidate = minimalPolicy.spec;
  const at = (percent: number): Bundle => ({ ...bundle, candidate, percent, salt: 'payments-4' });
  const ids = Array.from({ length: 1000 }, (_, index) => `payments-${index}`);
  const chosen = (percent: number): string[] => ids.filter((id) => chooseSpec(at(percent), id) === candidate);

  it('gives the candidate to nobody at 0 %, to everybody at 100 % and to about as many as asked between', () => {
    expect(chosen(0)).toEqual([]);
    expect(chosen(100)).toEqual(ids);
    for (const percent of [5, 25, 50]) expect(Math.abs(chosen(percent).length / 10 - percent)).toBeLessThan(5);
  });

  it('keeps everybody who has it while the share rises', () => {
    const few = new Set(chosen(10));
    const many = new Set(chosen(40));
    expect([...few].every((id) => many.has(id))).toBe(true);
  });

  it('takes a policy away from the share when the candidate is none', () => {
    expect(chooseSpec({ ...at(100), candidate: null }, 'payments-0')).toBeNull();
  });
});
