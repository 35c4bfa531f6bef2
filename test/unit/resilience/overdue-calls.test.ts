/** Calls under way that are slow already, against a plain list of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallWatch, OverdueCalls } from '../../../sidecar/resilience/overdue-calls.ts';

const slowerThanMs = 80;
const slotMs = slowerThanMs / 8;

describe('OverdueCalls', () => {
  it('takes a call once, no sooner than it is slow and no later than a slot after', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('begin' as const), pick: fc.nat(50) }),
      fc.record({ kind: fc.constant('end' as const), pick: fc.nat(50) }),
      fc.record({ kind: fc.constant('wait' as const), pick: fc.nat(120) }),
      fc.record({ kind: fc.constant('anew' as const), pick: fc.nat(1) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const overdue = new OverdueCalls(slowerThanMs);
        let nowMs = 1000;
        let generation = 1;
        let calls: { beganMs: number; generation: number; isTaken: boolean }[] = [];
        for (const { kind, pick } of steps) {
          if (kind === 'wait') nowMs += pick;
          if (kind === 'anew') generation++;
          const due = calls.filter((call) => call.generation === generation && !call.isTaken);
          const late = overdue.takeLate(generation, nowMs);
          const surely = due.filter(({ beganMs }) => nowMs - beganMs >= slowerThanMs + slotMs);
          const perhaps = due.filter(({ beganMs }) => nowMs - beganMs >= slowerThanMs);
          expect(late).toBeGreaterThanOrEqual(surely.length);
          expect(late).toBeLessThanOrEqual(perhaps.length);
          // The oldest are late first.
          for (const call of due.slice(0, late)) call.isTaken = true;
          if (kind === 'begin') {
            overdue.begin(generation, nowMs);
            calls.push({ beganMs: nowMs, generation, isTaken: false });
          }
          const ended = kind === 'end' ? calls[pick % Math.max(1, calls.length)] : undefined;
          if (ended === undefined) continue;
          calls = calls.filter((call) => call !== ended);
          const isKnown = ended.generation === generation;
          const said = overdue.end(ended.generation, ended.beganMs);
          if (isKnown) expect(said).toBe(ended.isTaken ? CallWatch.counted : CallWatch.none);
        }
      }),
      { numRuns: 500 },
    );
  });
});
