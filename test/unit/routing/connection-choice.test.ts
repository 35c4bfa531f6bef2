/** Which connection takes the next stream, and how many are dialled: against a slow and obvious model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockedAfterMs,
  type Candidate,
  chooseConnection,
  connectionsToDial,
  dialsAtOnceMax,
  sparesMax,
  wantsSpare,
} from '../../../sidecar/routing/connection-choice.ts';

const nowMs = 10_000;
const free: Candidate = { canOpenStream: true, blockedSinceMs: Number.POSITIVE_INFINITY, isCreditExhausted: false };
const full: Candidate = { ...free, canOpenStream: false };
const blocked: Candidate = { ...free, blockedSinceMs: nowMs - blockedAfterMs };
const exhausted: Candidate = { ...free, isCreditExhausted: true };

describe('chooseConnection', () => {
  it('fills the first with room before the next', () => {
    expect(chooseConnection([free, free], nowMs)).toBe(0);
    expect(chooseConnection([full, free, free], nowMs)).toBe(1);
    expect(chooseConnection([full, full], nowMs)).toBe(-1);
    expect(chooseConnection([], nowMs)).toBe(-1);
  });

  it('passes over a blocked socket and an exhausted peer while another has room, and takes them when none has', () => {
    expect(chooseConnection([blocked, exhausted, free], nowMs)).toBe(2);
    expect(chooseConnection([blocked, exhausted, full], nowMs)).toBe(1);
    expect(chooseConnection([full, blocked], nowMs)).toBe(1);
  });

  it('does not mind a write that has just begun', () => {
    const writing = { ...free, blockedSinceMs: nowMs - blockedAfterMs + 1 };
    expect(chooseConnection([writing, free], nowMs)).toBe(0);
  });

  it('chooses one with room whenever there is one, of the best kind there is, and the first of that kind', () => {
    const kinds = fc.array(fc.constantFrom(free, full, blocked, exhausted), { maxLength: 8 });
    fc.assert(
      fc.property(kinds, (candidates) => {
        const best = [free, exhausted, blocked].find((kind) => candidates.includes(kind));
        expect(chooseConnection(candidates, nowMs)).toBe(best === undefined ? -1 : candidates.indexOf(best));
      }),
    );
  });
});

describe('wantsSpare', () => {
  it('is so while some are blocked, but not without end', () => {
    expect(wantsSpare([free, exhausted], nowMs)).toBe(false);
    expect(wantsSpare([blocked], nowMs)).toBe(true);
    expect(
      wantsSpare(
        Array.from({ length: sparesMax }, () => blocked),
        nowMs,
      ),
    ).toBe(true);
    expect(
      wantsSpare(
        Array.from({ length: sparesMax + 1 }, () => blocked),
        nowMs,
      ),
    ).toBe(false);
  });
});

describe('connectionsToDial', () => {
  const facts = { waiting: 0, open: 0, dialling: 0, streamsPerConnection: 100, connectionsMax: 64 };

  it('is nothing without waiters', () => {
    expect(connectionsToDial(facts)).toBe(0);
  });

  it('is one while nothing is known of the peer, however many wait', () => {
    expect(connectionsToDial({ ...facts, waiting: 5000, streamsPerConnection: -1 })).toBe(1);
    expect(connectionsToDial({ ...facts, waiting: 5000, streamsPerConnection: -1, dialling: 1 })).toBe(0);
  });

  it('is what the waiters need beyond those on their way', () => {
    expect(connectionsToDial({ ...facts, waiting: 250 })).toBe(3);
    expect(connectionsToDial({ ...facts, waiting: 250, dialling: 2 })).toBe(1);
    expect(connectionsToDial({ ...facts, waiting: 100, dialling: 1 })).toBe(0);
  });

  it('does not hammer a peer that takes no streams', () => {
    expect(connectionsToDial({ ...facts, waiting: 10, streamsPerConnection: 0, open: 1 })).toBe(0);
    expect(connectionsToDial({ ...facts, waiting: 10, streamsPerConnection: 0 })).toBe(1);
  });

  it('never exceeds its bounds, and never leaves waiters without any connection to hope for', () => {
    const count = fc.integer({ min: 0, max: 5000 });
    const few = fc.integer({ min: 0, max: 70 });
    fc.assert(
      fc.property(count, few, few, fc.integer({ min: -1, max: 100 }), fc.integer({ min: 1, max: 64 }), (...values) => {
        const [waiting, open, dialling, streamsPerConnection, connectionsMax] = values;
        const dials = connectionsToDial({ waiting, open, dialling, streamsPerConnection, connectionsMax });
        expect(dials).toBeGreaterThanOrEqual(0);
        if (dials > 0) {
          expect(open + dialling + dials).toBeLessThanOrEqual(connectionsMax);
          expect(dialling + dials).toBeLessThanOrEqual(dialsAtOnceMax);
          if (streamsPerConnection > 0) expect((dialling + dials - 1) * streamsPerConnection).toBeLessThan(waiting);
        }
        if (waiting > 0 && open + dialling === 0) expect(dials).toBeGreaterThan(0);
      }),
    );
  });
});
