/** The order within a flow, against a plain list that is sorted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { userLevelCount } from '../../../proto/tiers.ts';
import { FlowLines, togetherMs } from '../../../sidecar/admission/flow-lines.ts';
import { none } from '../../../sidecar/admission/linked-lists.ts';
import { WaitQueue } from '../../../sidecar/admission/wait-queue.ts';
import { TestWaiter } from './test-waiter.ts';

const slots = 32;
const step = fc.oneof(
  fc.record({ kind: fc.constant('come' as const), flow: fc.nat(2), level: fc.nat(userLevelCount - 1) }),
  fc.record({ kind: fc.constant('go' as const), pick: fc.nat(slots) }),
);

describe('FlowLines', () => {
  it('orders by level, then by age or the other way round, and knows who is last', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), fc.array(step, { maxLength: 80 }), (isByLevel, newestFirst, steps) => {
        const lines = new FlowLines(isByLevel, 1, slots);
        lines.growFlows(3);
        let waiting: { slot: number; flow: number; level: number; age: number }[] = [];
        for (const [age, action] of steps.entries()) {
          if (action.kind === 'come' && waiting.length < slots) {
            const used = new Set(waiting.map(({ slot }) => slot));
            const slot = Array.from({ length: slots }, (_, i) => i).find((i) => !used.has(i))!;
            const level = isByLevel ? action.level : 0;
            lines.append(action.flow, level, slot);
            waiting.push({ slot, flow: action.flow, level, age });
          } else if (action.kind === 'go' && waiting.length > 0) {
            const gone = waiting[action.pick % waiting.length]!;
            lines.remove(gone.flow, gone.level, gone.slot);
            waiting = waiting.filter((one) => one !== gone);
          }
          for (const flow of [0, 1, 2]) {
            const order = waiting.filter((one) => one.flow === flow);
            order.sort((a, b) => a.level - b.level || (newestFirst ? b.age - a.age : a.age - b.age));
            expect(lines.first(flow, newestFirst)).toBe(order[0]?.slot ?? none);
            const backward: number[] = [];
            let slot = lines.last(flow, newestFirst);
            while (slot !== none) {
              backward.push(slot);
              const { level } = order.find((one) => one.slot === slot)!;
              slot = lines.before(flow, level, slot, newestFirst);
            }
            expect(backward).toEqual(order.map((one) => one.slot).reverse());
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('WaitQueue by user level', () => {
  const waiterOf = (id: number, userLevel: number): TestWaiter => {
    const waiter = new TestWaiter(id);
    waiter.userLevel = userLevel;
    return waiter;
  };
  const serve = (queue: WaitQueue): number => {
    const waiter = queue.nextOf(queue.firstTier(), false);
    queue.charge(waiter);
    queue.remove(waiter);
    return waiter instanceof TestWaiter ? waiter.id : -1;
  };

  it('serves the parts of one request together, although more important ones came meanwhile', () => {
    const queue = new WaitQueue();
    queue.orderByLevel(true);
    for (const [id, level] of [5, 5, 5].entries()) queue.push(waiterOf(id, level), 2, 10 + id * 0.5);
    expect(serve(queue)).toBe(0);
    queue.push(waiterOf(7, 1), 2, 11);
    queue.push(waiterOf(8, 5), 2, 10 + togetherMs + 1);
    expect([serve(queue), serve(queue), serve(queue), serve(queue)]).toEqual([1, 2, 7, 8]);
  });

  it('counts the part that did not have to wait', () => {
    const queue = new WaitQueue();
    queue.orderByLevel(true);
    queue.noteServed(2, 5, 10);
    queue.push(waiterOf(0, 5), 2, 10.1);
    queue.push(waiterOf(1, 1), 2, 10.2);
    expect([serve(queue), serve(queue)]).toEqual([0, 1]);
  });

  it('puts those who wait in order anew when levels begin or cease to count', () => {
    const queue = new WaitQueue();
    for (const [id, level] of [9, 3, 7, 3].entries()) queue.push(waiterOf(id, level), 2, id * 10);
    queue.orderByLevel(true);
    expect(serve(queue)).toBe(1);
    queue.orderByLevel(false);
    expect([serve(queue), serve(queue), serve(queue)]).toEqual([0, 2, 3]);
  });
});
