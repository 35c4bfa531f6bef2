/** What the outbound side learns of a trace from the inbound side, and what happens when the table is full. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ContextTable,
  contextsMax,
  contextTtlMs,
  type RequestContext,
} from '../../../sidecar/exchange/context-table.ts';
import { TraceId } from '../../../sidecar/exchange/traceparent.ts';

const traceparent = (trace: string): string => `00-${trace.padStart(32, '0')}-00f067aa0ba902b7-01`;

function idOf(trace: string): TraceId {
  const id = new TraceId();
  expect(id.read(traceparent(trace))).toBe(true);
  return id;
}

const from = (
  tier: number,
  userLevel: number,
  tenant: string,
  deadlineMs: number,
  isRetry = false,
): RequestContext => ({
  tier,
  userLevel,
  tenant,
  deadlineMs,
  isRetry,
});

const hex = (n: number): string => n.toString(16);

describe('TraceId', () => {
  test('reads the 128 bits of a traceparent', () => {
    expect([...idOf('4bf92f3577b34da6a3ce929d0e0e4736').words].map((word) => hex(word >>> 0))).toEqual([
      '4bf92f35',
      '77b34da6',
      'a3ce929d',
      'e0e4736',
    ]);
  });

  test.each([
    ['nothing', undefined],
    ['an empty field', ''],
    ['a short one', '00-4bf92f3577b34da6a3ce929d0e0e4736'],
    ['capitals', traceparent('4BF92F3577B34DA6A3CE929D0E0E4736')],
    ['all zero', traceparent('0')],
    ['no dash behind the id', `00-4bf92f3577b34da6a3ce929d0e0e4736x00f067aa0ba902b7-01`],
  ])('takes no id from %s', (_what, text) => {
    expect(new TraceId().read(text)).toBe(false);
  });
});

describe('ContextTable', () => {
  test('gives back what was remembered of a trace, and counts it', () => {
    const table = new ContextTable(7);
    table.remember(idOf('a1'), from(1, 93, 'acme', 5_000), 100);
    expect(table.find(idOf('a1'), 200)).toBe(true);
    expect(table.context).toEqual({ tier: 1, userLevel: 93, tenant: 'acme', deadlineMs: 5_000, isRetry: false });
    expect(table.find(idOf('a2'), 200)).toBe(false);
    table.countUntraced();
    expect([table.foundTotal, table.unknownTotal, table.untracedTotal]).toEqual([1, 1, 1]);
  });

  test('keeps a trace a retry once it was one, whatever comes in between', () => {
    const table = new ContextTable(7);
    for (const [isRetry, kept] of [
      [false, false],
      [true, true],
      [false, true],
    ] as const) {
      table.remember(idOf('a1'), from(1, 93, 'acme', 0, isRetry), 100);
      table.find(idOf('a1'), 100);
      expect(table.context).toEqual({ tier: 1, userLevel: 93, tenant: 'acme', deadlineMs: 0, isRetry: kept });
    }
  });

  test('knows whether there can be a retry among the traces', () => {
    const table = new ContextTable(7);
    table.remember(idOf('a1'), from(1, 0, '', 0), 100);
    expect(table.mayHaveRetries(100)).toBe(false);
    table.remember(idOf('a2'), from(1, 0, '', 0, true), 200);
    expect([200, 200 + contextTtlMs - 1, 200 + contextTtlMs].map((nowMs) => table.mayHaveRetries(nowMs))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('forgets after its time', () => {
    const table = new ContextTable(7);
    table.remember(idOf('a1'), from(1, 0, '', 0), 0);
    expect(table.find(idOf('a1'), contextTtlMs - 1)).toBe(true);
    expect(table.find(idOf('a1'), contextTtlMs)).toBe(false);
    table.remember(idOf('a1'), from(0, 0, '', 0), contextTtlMs);
    expect(table.find(idOf('a1'), contextTtlMs)).toBe(true);
    expect(table.context.tier).toBe(0);
  });

  test('keeps the less important tier and the later deadline of two requests of one trace', () => {
    const table = new ContextTable(7);
    table.remember(idOf('a1'), from(4, 0, '', 900), 0);
    table.remember(idOf('a1'), from(0, 0, '', 700), 1);
    table.find(idOf('a1'), 2);
    expect(table.context).toMatchObject({ tier: 4, deadlineMs: 900 });
    table.remember(idOf('a1'), from(5, 0, '', 0), 3);
    table.find(idOf('a1'), 4);
    expect(table.context).toMatchObject({ tier: 5, deadlineMs: 0 });
  });

  test('lifts the deadline of a request that has its answer', () => {
    const table = new ContextTable(7);
    table.remember(idOf('a1'), from(1, 2, 'acme', 900), 0);
    table.forgetDeadline(idOf('a1'), 1);
    table.find(idOf('a1'), 2);
    expect(table.context).toEqual({ tier: 1, userLevel: 2, tenant: 'acme', deadlineMs: 0, isRetry: false });
  });

  test('does not remember a tenant that is too long, or that has no octets', () => {
    const table = new ContextTable(7);
    for (const tenant of ['t'.repeat(41), '租户']) {
      table.remember(idOf('a1'), from(1, 2, tenant, 0), 0);
      table.find(idOf('a1'), 0);
      expect(table.context.tenant).toBe('');
    }
    table.remember(idOf('a1'), from(1, 2, `é${'t'.repeat(39)}`, 0), 0);
    table.find(idOf('a1'), 0);
    expect(table.context.tenant).toBe(`é${'t'.repeat(39)}`);
  });

  test('holds the bound: twice as many traces leave the younger ones, and its memory as it was', () => {
    const table = new ContextTable(7);
    for (let n = 1; n <= 2 * contextsMax; n++) table.remember(idOf(hex(n)), from(n % 6, 0, '', 0), n / 1000);
    let young = 0;
    for (let n = contextsMax * 2 - 1000; n <= 2 * contextsMax; n++) {
      if (table.find(idOf(hex(n)), 70) && table.context.tier === n % 6) young++;
    }
    expect(young).toBe(1001);
  });

  test('never gives one trace what belongs to another', () => {
    const steps = fc.array(
      fc.record({
        trace: fc.integer({ min: 1, max: 60 }),
        tier: fc.integer({ min: 0, max: 5 }),
        user: fc.integer({ min: 0, max: 127 }),
        finds: fc.boolean(),
      }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, fc.integer(), (all, seed) => {
        const table = new ContextTable(seed, new SharedArrayBuffer(ContextTable.bytes), 2);
        const known = new Map<number, { tier: number; user: number }>();
        for (const { trace, tier, user, finds } of all) {
          if (finds) {
            expect(table.find(idOf(hex(trace)), 1)).toBe(known.has(trace));
            const expected = known.get(trace);
            if (expected) {
              expect(table.context).toMatchObject({
                tier: expected.tier,
                userLevel: expected.user,
                tenant: `t${trace}`,
              });
            }
          } else {
            table.remember(idOf(hex(trace)), from(tier, user, `t${trace}`, 0), 1);
            known.set(trace, { tier: Math.max(tier, known.get(trace)?.tier ?? 0), user });
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('is one table for two threads on the same memory', () => {
    const memory = new SharedArrayBuffer(ContextTable.bytes);
    const [one, other] = [new ContextTable(7, memory, 2), new ContextTable(7, memory, 3)];
    one.remember(idOf('a1'), from(1, 5, 'acme', 0), 0);
    expect(other.find(idOf('a1'), 1)).toBe(true);
    expect(other.context.tenant).toBe('acme');
    expect(one.foundTotal).toBe(1);
  });
});
