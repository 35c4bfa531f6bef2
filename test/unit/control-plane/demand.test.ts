/** How many instances a service wants, from exact readings and from heartbeats. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DemandReading, decideScaling, noDemand, signalOf } from '../../../control-plane/fleet/demand.ts';

const quiet: DemandReading = { ...noDemand, known: 2 };
const busy = { ...quiet, inFlight: 24, queued: 4, requestsPerSecond: 150, finishedPerSecond: 100, shedPerSecond: 50 };

describe('the wanted number of instances', () => {
  it('is for what is under way, what waits, and what the refused work would need at the time of the rest', () => {
    // 20 in the app at 100/s take 0.2 s each: 50/s that were refused would be 10 more at once.
    expect(decideScaling(busy, 8)).toEqual({
      wanted: 5,
      demand: 34,
      targetConcurrency: 8,
      bottleneck: 'service',
      explanation: '24 at once and 10 refused, 8 each',
    });
    expect(decideScaling(quiet, 8)).toMatchObject({ wanted: 0, demand: 0, bottleneck: 'none' });
    expect(decideScaling({ ...quiet, inFlight: 9 }, 8)).toMatchObject({ wanted: 2, bottleneck: 'none' });
  });

  it('goes by 0.7 of the limit of an instance where nobody said more, and by 10 without one', () => {
    expect(decideScaling({ ...busy, limit: 20, limited: 2 })).toMatchObject({ targetConcurrency: 7, wanted: 5 });
    expect(decideScaling(busy)).toMatchObject({ targetConcurrency: 10, wanted: 4 });
  });

  it('stays as it is, and says downstream, while what the service calls refuses it', () => {
    const heldUp = { ...busy, downstreamRefusedPerSecond: 15 };
    expect(decideScaling(heldUp, 8)).toMatchObject({
      wanted: 2,
      demand: 24,
      bottleneck: 'downstream',
      explanation: 'kept at 2: 15 calls/s are refused for what it calls',
    });
    expect(signalOf(decideScaling(heldUp, 8))).toBe(16);
    expect(decideScaling({ ...busy, downstreamRefusedPerSecond: 14.9 }, 8)).toMatchObject({ wanted: 5 });
    expect(decideScaling({ ...quiet, downstreamRefusedPerSecond: 1 }, 8)).toMatchObject({ wanted: 2 });
  });

  it('is not known when nobody is heard, unless callers find nobody', () => {
    const gone = { ...quiet, known: 0 };
    expect(decideScaling(gone, 8)).toMatchObject({ wanted: null, explanation: 'not known: no instance is heard' });
    expect(decideScaling({ ...gone, unknown: 3, unservedPerSecond: 9 }, 8).wanted).toBeNull();
    expect(decideScaling({ ...gone, unservedPerSecond: 9 }, 8)).toMatchObject({ wanted: 2, demand: 9 });
    expect(signalOf(decideScaling(gone, 8))).toBeNull();
  });

  it('never falls below what is there while one of them is silent; an autoscaler that divides finds the same', () => {
    const figure = fc.double({ min: 0, max: 1e6, noNaN: true });
    const count = fc.integer({ min: 0, max: 100 });
    const readings = fc.record({
      known: count,
      unknown: count,
      inFlight: figure,
      queued: figure,
      requestsPerSecond: figure,
      finishedPerSecond: figure,
      shedPerSecond: figure,
      downstreamRefusedPerSecond: fc.oneof(fc.constant(0), figure),
      unservedPerSecond: figure,
      limit: figure,
      limited: count,
    });
    fc.assert(
      fc.property(readings, fc.integer({ min: 1, max: 1000 }), (reading, target) => {
        const decision = decideScaling(reading, target);
        const { wanted } = decision;
        const signal = signalOf(decision);
        if (wanted === null || signal === null) {
          expect(reading.known).toBe(0);
          return;
        }
        if (reading.known > 0 && reading.unknown > 0) {
          expect(wanted).toBeGreaterThanOrEqual(reading.known + reading.unknown);
        }
        expect(Math.ceil(signal / target)).toBe(wanted);
      }),
    );
  });
});
