/** The window of the last N calls, compared with a list of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountWindow, countWindowMax } from '../../../sidecar/resilience/count-window.ts';

describe('CountWindow', () => {
  it('holds the last N calls, exactly, also after it was frozen and thawed', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constant(countWindowMax));
    fc.assert(
      fc.property(size, fc.array(fc.boolean(), { maxLength: 300 }), fc.nat(300), (n, calls, cut) => {
        let window = new CountWindow(n);
        for (const [i, isBad] of calls.entries()) {
          if (i === cut) {
            const memory = new Float64Array(CountWindow.frozenLength + 3);
            window.freeze(memory, 3);
            window = new CountWindow(n);
            window.thaw(memory, 3);
          }
          window.record(isBad, 0);
          const last = calls.slice(Math.max(0, i + 1 - n), i + 1);
          expect([window.total, window.bad]).toEqual([last.length, last.filter(Boolean).length]);
        }
      }),
    );
  });

  it('begins anew where a window of another length was frozen', () => {
    const [ten, five] = [new CountWindow(10), new CountWindow(5)];
    const memory = new Float64Array(CountWindow.frozenLength);
    ten.record(true, 0);
    ten.freeze(memory, 0);
    five.record(true, 0);
    five.thaw(memory, 0);
    expect([five.total, five.bad]).toEqual([0, 0]);
  });
});
