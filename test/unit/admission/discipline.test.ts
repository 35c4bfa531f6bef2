/** What the queue orders by and whom it gives up on, one promise at a time. */
import { describe, expect, it } from 'vitest';
import type { Random } from '../../../proto/kernel/random.ts';
import { Reason } from '../../../proto/reasons.ts';
import { Admission, Decision, type QueueSettings } from '../../../sidecar/admission/admission.ts';
import { fifo, full } from '../../../sidecar/admission/queue-settings.ts';
import { TestWaiter } from './test-waiter.ts';

const bounds = { requestsMax: 4, bytesMax: 1000, waitMaxMs: 1000 };

/** One permit, taken, after requests that each held theirs for 10 ms. */
class Rig {
  readonly admission: Admission;
  /** Who was admitted, in that order; refused ones with their reason. */
  readonly heard: string[] = [];

  constructor(queue: Partial<QueueSettings>, random?: Random) {
    this.admission = new Admission({ limit: 1, queue: { ...fifo, ...bounds, ...queue } }, { random });
    this.admission.enter(new TestWaiter(0), 0);
    this.admission.leave(0, 10);
    this.admission.enter(new TestWaiter(0), 0);
  }

  enter(
    name: string,
    nowMs: number,
    more: Partial<Pick<TestWaiter, 'tier' | 'userLevel' | 'tenant' | 'deadlineMs'>> = {},
    bytes = 10,
  ): number {
    const waiter = Object.assign(new TestWaiter(0, bytes), more);
    waiter.onAdmitted = () => this.heard.push(name);
    waiter.onRefused = (reason) => this.heard.push(`${name}:${reason}`);
    return this.admission.enter(waiter, nowMs);
  }

  serve(count: number, nowMs: number): string {
    for (let i = 0; i < count; i++) this.admission.leave(nowMs, 10);
    return this.heard.join(' ');
  }
}

const { evicted, queueShed, queueTimeout, deadlineUnreachable, queueFull } = Reason;

describe('Admission by tier', () => {
  it('serves the most important tier first, and within it who came first', () => {
    const rig = new Rig({ priority: true });
    for (const [i, tier] of [5, 2, 0, 2].entries()) rig.enter(`${i}of${tier}`, 0, { tier });
    expect(rig.serve(4, 1)).toBe('2of0 1of2 3of2 0of5');
  });

  it('takes a tier that there is not for the nearest one', () => {
    const rig = new Rig({ priority: true });
    for (const tier of [99, 5, -1]) rig.enter(String(tier), 0, { tier });
    expect(rig.serve(3, 1)).toBe('-1 99 5');
  });

  it('knows no tiers when priority is off', () => {
    const rig = new Rig({});
    for (const tier of [5, 0, 2]) rig.enter(String(tier), 0, { tier });
    expect(rig.serve(3, 1)).toBe('5 0 2');
  });
});

describe('Admission in a standing queue', () => {
  it('ends waits above twice the service time once the queue was never empty for the interval', () => {
    const rig = new Rig({ targetMs: 5 });
    rig.enter('first', 0);
    rig.enter('young', 85);
    rig.admission.expire(99);
    expect(rig.heard).toEqual([]);
    rig.admission.expire(100);
    expect(rig.heard).toEqual([`first:${queueShed}`]);
    rig.admission.expire(105);
    expect(rig.heard).toEqual([`first:${queueShed}`, `young:${queueShed}`]);
  });

  it('lets a burst wait: who was admitted emptied the queue', () => {
    const rig = new Rig({ targetMs: 5 });
    rig.enter('a', 0);
    rig.serve(1, 95);
    rig.enter('b', 96);
    rig.admission.expire(190);
    expect(rig.serve(1, 195)).toBe('a b');
  });

  it('waits no shorter than the target, and never longer than waitMax', () => {
    const patient = new Rig({ targetMs: 150 });
    patient.enter('a', 0);
    patient.admission.expire(149);
    expect(patient.heard).toEqual([]);
    patient.admission.expire(150);
    expect(patient.heard).toEqual([`a:${queueShed}`]);
    const hasty = new Rig({ targetMs: 150, waitMaxMs: 120 });
    hasty.enter('a', 0);
    hasty.admission.expire(120);
    expect(hasty.heard).toEqual([`a:${queueTimeout}`]);
  });

  it('serves the newest first from then on, and the oldest first before', () => {
    const rig = new Rig({ adaptiveLifo: true, requestsMax: 10 });
    for (const name of ['a', 'b', 'c', 'd']) rig.enter(name, 0);
    rig.serve(1, 99);
    expect(rig.serve(2, 100)).toBe('a d c');
  });

  it('judges each tier by itself', () => {
    const rig = new Rig({ priority: true, adaptiveLifo: true, targetMs: 5 });
    rig.enter('batch', 0, { tier: 4 });
    rig.enter('b', 95, { tier: 1 });
    rig.enter('c', 96, { tier: 1 });
    expect(rig.serve(2, 110)).toBe('b c');
    rig.admission.expire(110);
    expect(rig.heard.at(-1)).toBe(`batch:${queueShed}`);
  });

  it('spares a tenant that has little waiting beside another, and serves its requests in order', () => {
    const rig = new Rig({ adaptiveLifo: true, targetMs: 5, tenantsMax: 10, requestsMax: 100 });
    for (let i = 0; i < 9; i++) rig.enter(`b${i}`, i, { tenant: 'big' });
    rig.enter('s1', 90, { tenant: 'small' });
    rig.enter('s2', 91, { tenant: 'small' });
    for (let i = 9; i < 18; i++) rig.enter(`b${i}`, 106, { tenant: 'big' });
    // Small's have waited for longer than two services.
    expect(rig.serve(4, 115)).toBe('b17 s1 b16 s2');
    rig.admission.expire(115);
    expect(rig.heard.slice(4)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => `b${i}:${queueShed}`));
  });

  it('knows nothing too long while no service time is known', () => {
    const admission = new Admission({ limit: 1, queue: { ...full, ...bounds } });
    const waiter = new TestWaiter(1);
    admission.enter(new TestWaiter(0), 0);
    admission.enter(waiter, 0);
    admission.expire(500);
    expect(waiter.heard).toEqual([]);
  });
});

describe('Admission with a deadline margin', () => {
  it('refuses at the door what would have to wait and has less time left than a request takes', () => {
    const rig = new Rig({ deadlineMargin: true });
    expect(rig.enter('late', 0, { deadlineMs: 9.9 })).toBe(deadlineUnreachable);
    expect(rig.enter('just', 0, { deadlineMs: 10 })).toBe(Decision.queued);
    expect(rig.enter('patient', 0)).toBe(Decision.queued);
  });

  it('passes over what became too late while it waited', () => {
    const rig = new Rig({ deadlineMargin: true });
    rig.enter('a', 0, { deadlineMs: 30 });
    rig.enter('b', 0, { deadlineMs: 40 });
    expect(rig.serve(1, 21)).toBe(`a:${deadlineUnreachable} b`);
  });

  it('admits what needs not wait, however late: the service is idle', () => {
    const rig = new Rig({ deadlineMargin: true });
    rig.admission.leave(1, 10);
    expect(rig.enter('late', 5, { deadlineMs: 6 })).toBe(Decision.admitted);
  });

  it('learns what a request takes from the permits, and not from one that held its own for an hour', () => {
    const rig = new Rig({});
    for (let i = 0; i < 300; i++) {
      rig.admission.leave(i, 20);
      rig.enter('x', i);
    }
    expect(rig.admission.serviceMs).toBeCloseTo(20, 1);
    rig.admission.leave(1000, 3_600_000);
    expect(rig.admission.serviceMs).toBeLessThan(22);
  });
});

describe('Admission with a full queue', () => {
  const filled = (queue: Partial<QueueSettings>, random?: Random): Rig => {
    const rig = new Rig(queue, random);
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) rig.enter(name, i);
    return rig;
  };

  it('newest: refuses the newcomer', () => {
    expect(filled({ whenFull: 'newest' }).enter('e', 5)).toBe(queueFull);
  });

  it('oldest: evicts who has waited longest, whatever its tier', () => {
    const rig = new Rig({ whenFull: 'oldest', priority: true });
    for (const [i, tier] of [1, 0, 2, 3].entries()) rig.enter(`t${tier}`, i, { tier });
    expect(rig.enter('e', 5, { tier: 5 })).toBe(Decision.queued);
    expect(rig.heard).toEqual([`t1:${evicted}`]);
  });

  it('random: evicts any of those who wait, or refuses the newcomer', () => {
    const dice = [0, 0.25, 0.79, 0.8];
    const rig = filled({ whenFull: 'random' }, { next: () => dice.shift()! });
    expect([rig.enter('e', 5), rig.enter('f', 5), rig.enter('g', 5), rig.enter('h', 5)]).toEqual([
      Decision.queued,
      Decision.queued,
      Decision.queued,
      queueFull,
    ]);
    expect(rig.heard).toEqual([`a:${evicted}`, `b:${evicted}`, `d:${evicted}`]);
  });

  it('lowestPriority: a newcomer that matters more takes the place of the newest that matters least', () => {
    const rig = new Rig({ whenFull: 'lowestPriority', priority: true });
    for (const [i, tier] of [4, 2, 4, 1].entries()) rig.enter(`${i}of${tier}`, i, { tier });
    expect(rig.enter('e', 5, { tier: 0 })).toBe(Decision.queued);
    expect(rig.heard).toEqual([`2of4:${evicted}`]);
    expect(rig.enter('f', 6, { tier: 4 })).toBe(queueFull);
    expect(rig.enter('g', 6, { tier: 5 })).toBe(queueFull);
    expect(rig.enter('h', 6, { tier: 3 })).toBe(Decision.queued);
    expect(rig.enter('i', 6, { tier: 3 })).toBe(queueFull);
    expect(rig.heard).toEqual([`2of4:${evicted}`, `0of4:${evicted}`]);
  });

  it('lowestPriority: within a tier the tenant with most waiting gives way to one with less', () => {
    const rig = new Rig({ whenFull: 'lowestPriority', priority: true, tenantsMax: 10 });
    for (const [i, tenant] of ['big', 'big', 'big', 'small'].entries()) rig.enter(`${tenant}${i}`, i, { tenant });
    expect(rig.enter('other', 5, { tenant: 'other' })).toBe(Decision.queued);
    expect(rig.heard).toEqual([`big2:${evicted}`]);
    // Two of big, one of small, one of other: nobody has so much more than another that it must give way.
    expect(rig.enter('small', 6, { tenant: 'small' })).toBe(queueFull);
    expect(rig.enter('big', 6, { tenant: 'big' })).toBe(queueFull);
  });

  it('lowestPriority: in a standing queue the newcomer takes the place of the oldest of its own, which is lost anyway', () => {
    const rig = new Rig({ whenFull: 'lowestPriority', priority: true, adaptiveLifo: true });
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) rig.enter(name, i);
    expect(rig.enter('e', 100)).toBe(Decision.queued);
    expect(rig.heard).toEqual([`a:${evicted}`]);
  });

  it('evicts as many as the bytes of the newcomer need, and nobody when that is not enough', () => {
    const rig = new Rig({ whenFull: 'oldest', bytesMax: 100, requestsMax: 100 });
    for (let i = 0; i < 20; i++) rig.enter(`w${i}`, i, {}, 5);
    expect(rig.enter('large', 30, {}, 101)).toBe(queueFull);
    expect(rig.enter('large', 30, {}, 81)).toBe(queueFull);
    expect(rig.heard).toEqual([]);
    expect(rig.enter('fits', 30, {}, 11)).toBe(Decision.queued);
    expect(rig.heard.toSorted()).toEqual(['w0', 'w1', 'w2'].map((name) => `${name}:${evicted}`));
  });
});

describe('Admission in shadow', () => {
  it('decides as it would, and lets everybody who waits in when shadow begins or ends', () => {
    const rig = new Rig({ whenFull: 'oldest' });
    const enforced = { limit: 1, queue: { ...fifo, ...bounds } };
    rig.enter('a', 0);
    rig.admission.reconfigure({ ...enforced, shadow: true }, 1);
    expect([rig.heard, rig.admission.inFlight]).toEqual([['a'], 2]);
    expect(rig.enter('ghost', 2)).toBe(Decision.queued);
    rig.admission.reconfigure(enforced, 3);
    expect([rig.heard, rig.admission.inFlight]).toEqual([['a', 'ghost'], 3]);
    expect(rig.enter('b', 4)).toBe(Decision.queued);
  });
});

describe('Admission by user level', () => {
  const byUser = { priority: true, byUserLevel: true, whenFull: 'lowestPriority' as const, intervalMs: 100 };

  it('serves important users first, and within a level who came first, however long somebody waits', () => {
    const rig = new Rig({ ...byUser, adaptiveLifo: true, requestsMax: 100 });
    rig.enter('a9', 0, { userLevel: 9 });
    rig.enter('b3', 150, { userLevel: 3 });
    rig.enter('c9', 160, { userLevel: 9 });
    rig.enter('d3', 170, { userLevel: 3 });
    expect(rig.serve(4, 180)).toBe('b3 d3 a9 c9');
  });

  it('evicts of the least important users the newest, and no newcomer who is no more important', () => {
    const rig = new Rig({ ...byUser, requestsMax: 2 });
    rig.enter('a9', 0, { userLevel: 9 });
    rig.enter('b9', 1, { userLevel: 9 });
    expect(rig.enter('c9', 2, { userLevel: 9 })).toBe(queueFull);
    expect(rig.enter('d10', 2, { userLevel: 10 })).toBe(queueFull);
    expect(rig.enter('e3', 3, { userLevel: 3 })).toBe(Decision.queued);
    expect(rig.serve(2, 4)).toBe(`b9:${evicted} e3 a9`);
  });

  it('evicts nobody more important, though a large newcomer needs more room', () => {
    const rig = new Rig({ ...byUser, bytesMax: 100 });
    rig.enter('a9', 0, { userLevel: 9 }, 50);
    rig.enter('b3', 1, { userLevel: 3 }, 50);
    expect(rig.enter('c5', 2, { userLevel: 5 }, 90)).toBe(queueFull);
    expect(rig.enter('d5', 2, { userLevel: 5 }, 50)).toBe(Decision.queued);
    expect(rig.serve(2, 3)).toBe(`a9:${evicted} b3 d5`);
  });

  it('gives up in a standing queue after four times as long, since only the least important wait', () => {
    const waits = (byUserLevel: boolean): number => {
      const rig = new Rig({ ...byUser, byUserLevel, targetMs: 5, intervalMs: 10 });
      rig.enter('a', 0);
      let nowMs = 0;
      while (rig.heard.length === 0) rig.admission.expire(++nowMs);
      expect(rig.heard).toEqual([`a:${queueShed}`]);
      return nowMs;
    };
    // Two service times of 10 ms; eight.
    expect([waits(false), waits(true)]).toEqual([20, 80]);
  });
});
