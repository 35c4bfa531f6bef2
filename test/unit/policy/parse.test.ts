/** Parsing a policy: what is accepted, and that every error is found, located and explained in one go. */
import fc from 'fast-check';
import { Settings } from 'typebox/system';
import { describe, expect, it } from 'vitest';
import { parsePolicyDocument, parsePolicyJson, parsePolicyYaml } from '../../../proto/policy/parse.ts';
import type { PolicyError } from '../../../proto/policy/problems.ts';
import { fullPolicy, minimalPolicy, policyWith } from './documents.ts';

function errorsOf(value: unknown): readonly PolicyError[] {
  const result = parsePolicyDocument(value);
  return result.ok ? [] : result.errors;
}

function yamlErrors(text: string): readonly PolicyError[] {
  const result = parsePolicyYaml(text);
  return result.ok ? [] : result.errors;
}

const inbound = (fields: object): unknown => policyWith({ inbound: fields });
const outbound = (fields: object): unknown => policyWith({ outbound: fields });

describe('parsePolicyDocument', () => {
  it('accepts the smallest and the fullest policy and returns them as they were written', () => {
    for (const policy of [minimalPolicy, fullPolicy]) {
      expect(parsePolicyDocument(policy)).toEqual({ ok: true, policies: [policy] });
    }
  });

  it('finds every error at once, of shape and of meaning, more than the schema library stops at by itself', () => {
    const errors = errorsOf({
      apiVersion: 'weir.dev/v1',
      kind: 'TraficPolicy',
      metadata: { name: 'Payments', namespace: 'shop' },
      spec: {
        target: { service: 'payments', namespace: 'bank' },
        enforcement: 'of',
        inbound: {
          rateLimits: [
            { name: 'a', rate: '500' },
            { name: 'a', rate: '0/s', burst: 0, scope: 'perService' },
          ],
          queue: { waitMx: '5 sec', bytesMax: '1MB' },
          deadline: { default: '2m', max: '1m' },
        },
        outbound: { timeout: '100h', circuitBreaker: { openFor: '1m', openForMax: '1s' } },
      },
    });
    expect(errors.map((error) => error.pointer).sort()).toEqual([
      '/apiVersion',
      '/kind',
      '/metadata/name',
      '/spec/enforcement',
      '/spec/inbound/deadline/default',
      '/spec/inbound/queue',
      '/spec/inbound/queue/bytesMax',
      '/spec/inbound/queue/waitMx',
      '/spec/inbound/rateLimits/0/rate',
      '/spec/inbound/rateLimits/1/burst',
      '/spec/inbound/rateLimits/1/name',
      '/spec/inbound/rateLimits/1/rate',
      '/spec/inbound/rateLimits/1/scope',
      '/spec/outbound/circuitBreaker/openFor',
      '/spec/outbound/timeout',
      '/spec/target/namespace',
    ]);
    expect(Settings.Get().maxErrors).toBe(8);
  });

  it.each<[string, unknown, PolicyError]>([
    [
      'an unknown field by the one that was meant',
      inbound({ concurrency: { fixed: { limit: 1 } }, queue: { waitMx: '1s' } }),
      { pointer: '/spec/inbound/queue/waitMx', message: 'unknown field "waitMx"', hint: 'did you mean waitMax?' },
    ],
    [
      'an unknown field that resembles none by those that exist',
      inbound({ deadline: { colour: 'red' } }),
      {
        pointer: '/spec/inbound/deadline/colour',
        message: 'unknown field "colour"',
        hint: 'allowed here: default, max, header',
      },
    ],
    [
      'a missing field by what it is for',
      policyWith({ target: {} }),
      {
        pointer: '/spec/target/service',
        message: 'the field "service" is missing',
        hint: 'The service, in the namespace of the policy.',
      },
    ],
    [
      'a rate without its unit',
      inbound({ rateLimits: [{ name: 'a', rate: '500' }] }),
      {
        pointer: '/spec/inbound/rateLimits/0/rate',
        message: '"500" is no rate; write a number and /s, /m or /h, such as 500/s or 2.5/m',
        hint: 'did you mean 500/s?',
      },
    ],
    [
      'a rate that is a number',
      inbound({ rateLimits: [{ name: 'a', rate: 500 }] }),
      {
        pointer: '/spec/inbound/rateLimits/0/rate',
        message: '500 is no rate; write a number and /s, /m or /h, such as 500/s or 2.5/m',
        hint: 'did you mean 500/s?',
      },
    ],
    [
      'a rate of nothing',
      inbound({ rateLimits: [{ name: 'a', rate: '0/s' }] }),
      {
        pointer: '/spec/inbound/rateLimits/0/rate',
        message: '"0/s" is outside the allowed range, 1/h to 10000000/s',
      },
    ],
    [
      'a duration with a fraction',
      outbound({ timeout: '1.5s' }),
      {
        pointer: '/spec/outbound/timeout',
        message: '"1.5s" is no duration; write whole numbers with h, m, s or ms, such as 500ms, 2s or 1m30s',
        hint: 'did you mean 1500ms?',
      },
    ],
    [
      'a size in decimal units',
      inbound({ concurrency: { fixed: { limit: 1 } }, queue: { bytesMax: '2 mb' } }),
      {
        pointer: '/spec/inbound/queue/bytesMax',
        message: '"2 mb" is no size; write a whole number with B, KiB, MiB or GiB, such as 512KiB',
        hint: 'did you mean 2MiB?',
      },
    ],
    [
      'enforcement that YAML 1.1 turned into a boolean',
      policyWith({ enforcement: false }),
      {
        pointer: '/spec/enforcement',
        message: 'false is not allowed here; write disabled, shadow or enforce',
        hint: 'YAML 1.1 reads off, no, on and yes as true or false; write disabled',
      },
    ],
    [
      'a scope that limits do not have',
      inbound({ rateLimits: [{ name: 'a', rate: '1/s', scope: 'perService' }] }),
      {
        pointer: '/spec/inbound/rateLimits/0/scope',
        message: '"perService" is not allowed here; write perProxy or fleet',
        hint: 'a limit is of each proxy (perProxy) or of all instances of the service together (fleet)',
      },
    ],
    [
      'two members where one is allowed',
      inbound({ rateLimits: [{ name: 'a', rate: '1/s', key: { header: 'x-id', path: {} } }] }),
      {
        pointer: '/spec/inbound/rateLimits/0/key',
        message: 'must name exactly one of header, identity, address, method or path, not "header" and "path"',
      },
    ],
    [
      'an empty value where an object belongs',
      inbound({ concurrency: { fixed: { limit: 1 } }, queue: null }),
      {
        pointer: '/spec/inbound/queue',
        message: 'must be an object, not null (an empty value)',
        hint: 'write {} to take every default, or remove the field',
      },
    ],
    [
      'a number beyond its range',
      inbound({ concurrency: { fixed: { limit: 0 } } }),
      { pointer: '/spec/inbound/concurrency/fixed/limit', message: '0 is outside the allowed range, 1 to 100000' },
    ],
    [
      'a queue without a limit',
      inbound({ queue: {} }),
      {
        pointer: '/spec/inbound/queue',
        message: 'a queue needs a concurrency limit: without one nothing ever waits',
        hint: 'add concurrency: { fixed: { limit: 64 } } beside it',
      },
    ],
    [
      'settings of a queue that is not there',
      inbound({ concurrency: { fixed: { limit: 1 } }, queue: { discipline: 'none', waitMax: '1s' } }),
      {
        pointer: '/spec/inbound/queue/waitMax',
        message: 'waitMax says how requests wait, but discipline: none lets nobody wait',
        hint: 'remove it, or write discipline: fifo or full',
      },
    ],
    [
      'two weights for a tenant',
      inbound({
        concurrency: { fixed: { limit: 1 } },
        queue: {
          tenantFair: {
            weights: [
              { name: 'gold', weight: 2 },
              { name: 'gold', weight: 3 },
            ],
          },
        },
      }),
      {
        pointer: '/spec/inbound/queue/tenantFair/weights/1/name',
        message: 'the tenant "gold" has a weight already',
      },
    ],
    [
      'keysMax without a key',
      inbound({ rateLimits: [{ name: 'a', rate: '1/s', keysMax: 5 }] }),
      {
        pointer: '/spec/inbound/rateLimits/0/keysMax',
        message: 'keysMax bounds the table of keys, but there is no key',
        hint: 'add key, such as key: { header: x-client-id }',
      },
    ],
    [
      'a name that is no DNS label',
      { ...minimalPolicy, metadata: { name: 'My Policy' } },
      {
        pointer: '/metadata/name',
        message:
          '"My Policy" is no DNS label; write lower-case letters, digits and "-", at most 63, beginning and ending with a letter or digit',
        hint: 'did you mean my-policy?',
      },
    ],
  ])('explains %s', (_, document, error) => {
    expect(errorsOf(document)).toEqual([error]);
  });

  it('reports at most 100 errors, whatever the document holds', () => {
    const flood = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`field${index}`, index]));
    expect(errorsOf({ ...minimalPolicy, ...flood })).toHaveLength(100);
  });

  it('never throws and refuses whatever is no policy', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }), (value) => {
        expect(parsePolicyDocument(value).ok).toBe(false);
        expect(parsePolicyDocument({ ...minimalPolicy, spec: value }).ok).toBe(false);
      }),
    );
  });

  it('is not fooled by members that are inherited', () => {
    expect(errorsOf(JSON.parse(`{"__proto__": ${JSON.stringify(minimalPolicy)}}`))).not.toEqual([]);
  });
});

describe('parsePolicyJson', () => {
  it('takes the namespace of the address when the document names none', () => {
    const result = parsePolicyJson(minimalPolicy, { namespace: 'shop', name: 'payments' });
    expect(result.ok && result.policy.metadata).toEqual({ name: 'payments', namespace: 'shop' });
  });

  it('refuses a document that is about something else than the address', () => {
    const result = parsePolicyJson(fullPolicy, { namespace: 'bank', name: 'loans' });
    expect(!result.ok && result.errors).toEqual([
      { pointer: '/metadata/namespace', message: '"shop" is not the namespace in the address, bank' },
      { pointer: '/metadata/name', message: '"payments" is not the name in the address, loans' },
    ]);
  });
});

describe('parsePolicyYaml', () => {
  it('reads several documents and skips empty ones', () => {
    const text = `# two\n---\n${JSON.stringify(minimalPolicy)}\n---\n---\n${JSON.stringify(fullPolicy)}\n`;
    expect(parsePolicyYaml(text)).toEqual({ ok: true, policies: [minimalPolicy, fullPolicy] });
  });

  it('locates values at the value, unknown and missing fields at the key, from top to bottom', () => {
    const text = [
      'apiVersion: weir.dev/v1alpha1',
      'kind: TrafficPolicy',
      'metadata: { name: payments }',
      'spec:',
      '  target: {}',
      '  inbound:',
      '    concurrency: { fixed: { limit: 64 } }',
      '    queue:',
      '      waitMax: 5 sec',
      '      requestMax: 3',
    ].join('\n');
    expect(yamlErrors(text).map(({ pointer, line, column }) => [pointer, line, column])).toEqual([
      ['/spec/target/service', 5, 3],
      ['/spec/inbound/queue/waitMax', 9, 16],
      ['/spec/inbound/queue/requestMax', 10, 7],
    ]);
  });

  it('says where the YAML itself is broken', () => {
    const [error] = yamlErrors('kind: TrafficPolicy\nmetadata: { name: a\nspec: [}\n');
    expect(error?.message).toMatch(/^not valid YAML: /);
    expect(error?.line).toBe(3);
  });

  it('refuses a field that is written twice', () => {
    expect(yamlErrors('kind: a\nkind: b\n')).toEqual([
      { pointer: '/kind', message: 'the field "kind" is written twice', line: 2, column: 1 },
    ]);
  });

  it('refuses a policy that is in the text twice, and a text without documents', () => {
    const document = JSON.stringify(minimalPolicy);
    expect(yamlErrors(`${document}\n---\n${document}`)).toMatchObject([
      { pointer: '/metadata/name', message: 'the policy default/payments is in this text twice', line: 3 },
    ]);
    expect(yamlErrors('# nothing\n')).toEqual([{ pointer: '', message: 'there is no document in the text' }]);
  });

  it('follows an alias, and locates an error behind it', () => {
    const text = [
      'apiVersion: weir.dev/v1alpha1',
      'kind: TrafficPolicy',
      'metadata: { name: payments }',
      'spec:',
      '  target: { service: payments }',
      '  inbound: { deadline: { default: &second 1s } }',
      '  outbound: { timeout: *second }',
    ].join('\n');
    expect(parsePolicyYaml(text).ok).toBe(true);
    expect(yamlErrors(text.replace('1s', '1 x')).map(({ pointer, line }) => [pointer, line])).toEqual([
      ['/spec/inbound/deadline/default', 6],
      ['/spec/outbound/timeout', 7],
    ]);
  });

  it.each<[string, () => string, RegExp]>([
    ['a billion laughs', billionLaughs, /more than 200000 values, aliases expanded/],
    ['an alias of itself', () => 'a: &a [*a]', /nested more than 32 deep/],
    ['more than 1 MiB', () => ' '.repeat(1024 * 1024 + 1), /larger than 1 MiB/],
    ['1 MiB of brackets', () => '['.repeat(1024 * 1024), /nested more than 32 deep/],
    ['1 MiB of list marks', () => '- '.repeat(512 * 1024), /nested more than 32 deep/],
    ['too many documents', () => '---\n[]\n'.repeat(1001), /./],
    ['20,000 fields', () => Array.from({ length: 20_000 }, (_, i) => `a${i}: 1`).join('\n'), /unknown field/],
    ['100,000 aliases', () => `x: &x 1\ny:\n${'- *x\n'.repeat(100_000)}`, /more than 200000 values, aliases expanded/],
    ['20,000 anchors', () => Array.from({ length: 20_000 }, (_, i) => `- &a${i} 1`).join('\n'), /must be an object/],
  ])('refuses %s within its bounds', (_, text, message) => {
    const errors = yamlErrors(text());
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.length).toBeLessThanOrEqual(100);
    expect(errors.some((error) => message.test(error.message))).toBe(true);
  });

  it('never throws, on any text and on any mutilated policy', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void parsePolicyYaml(text)));
    const whole = JSON.stringify(fullPolicy, null, 1);
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(40), fc.string({ maxLength: 8 }), (start, length, inserted) => {
        const errors = yamlErrors(whole.slice(0, start) + inserted + whole.slice(start + length));
        for (const error of errors) expect(error.message).not.toBe('');
      }),
      { numRuns: 300 },
    );
  }, 20_000);
});

function billionLaughs(): string {
  const rows = ['a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
  for (let i = 1; i < 10; i++)
    rows.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  return rows.join('\n');
}
