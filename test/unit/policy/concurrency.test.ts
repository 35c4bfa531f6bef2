/** `inbound.concurrency` from a document to a limit in force. */
import { describe, expect, it } from 'vitest';
import { concurrencyWithDefaults } from '../../../proto/policy/defaults-concurrency.ts';
import type { ConcurrencySpec } from '../../../proto/policy/schema-concurrency.ts';
import { validateInbound } from '../../../proto/policy/validate-inbound.ts';
import { compile } from '../../../sidecar/policy/compile.ts';
import { LivePolicy } from '../../../sidecar/policy/swap.ts';

const settingsOf = (concurrency: ConcurrencySpec) =>
  compile({ target: { service: 'a' }, inbound: { concurrency } }).inbound.admission;

describe('a concurrency limit', () => {
  it('is found by VegasBDP between 1 and 1000 when nothing else is said', () => {
    expect(settingsOf({ vegasBdp: {} })).toMatchObject({
      limit: 20,
      algorithm: { kind: 'vegasBdp', min: 1, max: 1000, initial: 20 },
      abandonAfterMs: 1000,
      streamsMax: 1000,
    });
  });

  it.each<[ConcurrencySpec, object]>([
    [{ aimd: {} }, { kind: 'aimd', min: 1, max: 200, initial: 20, backoff: 0.9, timeoutMs: 5000 }],
    [{ vegas: { smoothingPercent: 50 } }, { kind: 'vegas', min: 1, max: 1000, initial: 20, smoothing: 0.5 }],
    [{ gradient2: {} }, { kind: 'gradient2', min: 4, max: 200, initial: 20, tolerance: 1.5, smoothing: 0.2, queue: 4 }],
    [
      { envoyGradient: { min: 5 } },
      {
        kind: 'envoyGradient',
        min: 5,
        max: 1000,
        initial: 5,
        buffer: 0.25,
        minRttIntervalMs: 60_000,
        minRttRequests: 50,
      },
    ],
  ])('of %j has the defaults of its source', (spec, algorithm) => {
    expect(settingsOf(spec)).toMatchObject({ algorithm });
  });

  it.each<[ConcurrencySpec, object]>([
    [{ vegasBdp: { max: 8 } }, { min: 1, initial: 8, max: 8 }],
    [{ vegasBdp: { min: 30 } }, { min: 30, initial: 30, max: 1000 }],
    [{ aimd: { initial: 500 } }, { min: 1, initial: 500, max: 500 }],
    [{ gradient2: { max: 2 } }, { min: 2, initial: 2, max: 2 }],
  ])('of %j gets defaults that do not contradict what is written', (spec, range) => {
    const filled = concurrencyWithDefaults(spec);
    expect(Object.values(filled)[0]).toMatchObject(range);
    expect(concurrencyWithDefaults(filled)).toEqual(filled);
  });

  it('is refused when its bounds contradict each other', () => {
    const problems = validateInbound({ concurrency: { vegasBdp: { min: 9, initial: 5, max: 3 } } }, '/spec/inbound');
    expect(problems.map(({ pointer, message }) => `${pointer} ${message}`)).toEqual([
      '/spec/inbound/concurrency/vegasBdp/min min 9 is above max 3',
      '/spec/inbound/concurrency/vegasBdp/min min 9 is above initial 5',
      '/spec/inbound/concurrency/vegasBdp/initial initial 5 is above max 3',
    ]);
  });
});

describe('a swap', () => {
  const policyWith = (concurrency: ConcurrencySpec) => ({ target: { service: 'a' }, inbound: { concurrency } });
  const origin = { epoch: '', version: 1, hash: '' };
  /** After quick answers on a busy app the limit stands above its initial value. */
  const learned = (): LivePolicy => {
    const live = new LivePolicy('shop/a');
    live.apply(policyWith({ aimd: {} }), origin, 0);
    const admission = live.inbound.admission!;
    for (let i = 0; i < 20; i++) admission.enter(waiter(), 0);
    for (let i = 0; i < 10; i++) admission.sample(5, false, i);
    expect(admission.limit).toBe(30);
    return live;
  };
  const waiter = () => ({
    bytes: 0,
    tier: 2,
    tenant: '',
    deadlineMs: 0,
    userLevel: 0,
    queueSlot: -1,
    onAdmitted: () => {},
    onRefused: () => {},
  });

  it('keeps what the algorithm learned, and the permits, while its settings are the same', () => {
    const live = learned();
    live.apply({ ...policyWith({ aimd: {} }), outbound: { timeout: '1s' } }, origin, 20);
    live.apply({ target: { service: 'a' }, inbound: { concurrency: { aimd: { abandonAfter: '2s' } } } }, origin, 20);
    expect([live.inbound.admission!.limit, live.inbound.admission!.inFlight]).toEqual([30, 20]);
  });

  it('begins another algorithm at the limit that was found, within its bounds', () => {
    const live = learned();
    live.apply(policyWith({ vegas: {} }), origin, 20);
    expect(live.inbound.admission!.limit).toBe(30);
    live.apply(policyWith({ vegasBdp: { max: 12 } }), origin, 20);
    expect([live.inbound.admission!.limit, live.inbound.admission!.inFlight]).toEqual([12, 20]);
  });

  it('shares what was learned with threads that attach to the memory, and the limit that they find', () => {
    const seat = { index: 0, count: 2, wake: () => {} };
    const sharing = { seat, part: 'inbound' as const, keySeeds: [1, 2] as [number, number], delivery: null };
    const first = new LivePolicy('shop/a', undefined, sharing);
    first.apply(policyWith({ aimd: {} }), origin, 0);
    const second = new LivePolicy('shop/a', undefined, { ...sharing, seat: { ...seat, index: 1 } });
    second.apply(policyWith({ aimd: {} }), origin, 0, first.memory);
    for (let i = 0; i < 11; i++) first.inbound.admission!.enter(waiter(), 0);
    second.inbound.admission!.sample(5, false, 1);
    first.inbound.admission!.sample(5, false, 1);
    expect([first.inbound.admission!.limit, second.inbound.admission!.limit]).toEqual([22, 22]);
    first.apply(policyWith({ vegas: {} }), origin, 2);
    second.apply(policyWith({ vegas: {} }), origin, 2, first.memory);
    second.inbound.admission!.sample(5, true, 3);
    expect(first.inbound.admission!.limit).toBe(20);
    expect(second.inbound.admission!.limit).toBe(20);
  });
});
