/** Dead peers are found, living ones are not bothered: by hand-moved time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pulse, type PulseFacts } from '../../../sidecar/resilience/pulse.ts';

const settings = { silenceMs: 15_000, timeoutMs: 10_000, againMs: 300_000 };
const infinity = Number.POSITIVE_INFINITY;
const idle: PulseFacts = { streamCount: 0, readMs: 0, ackedMs: -1, usedMs: 0, blockedSinceMs: infinity };

/** Checks every second from 0 to `untilMs`; when it answered what. */
function answers(pulse: Pulse, factsAt: (nowMs: number) => PulseFacts, untilMs: number): [string, number][] {
  const seen: [string, number][] = [];
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 1000) {
    const answer = pulse.check(factsAt(nowMs), nowMs);
    if (answer !== 'quiet') seen.push([answer, nowMs]);
    if (answer === 'dead') break;
  }
  return seen;
}

describe('Pulse', () => {
  it('never asks a peer that owes nothing', () => {
    expect(answers(new Pulse(settings), () => idle, 1_000_000)).toEqual([]);
  });

  it('asks after a silence with streams open, and takes no answer for death', () => {
    expect(answers(new Pulse(settings), () => ({ ...idle, streamCount: 1 }), 1_000_000)).toEqual([
      ['ping', 15_000],
      ['dead', 25_000],
    ]);
  });

  it('finds a dead peer however many requests are sent to it', () => {
    const facts = (nowMs: number): PulseFacts => ({ ...idle, streamCount: 50, usedMs: nowMs });
    expect(answers(new Pulse(settings), facts, 1_000_000).at(-1)).toEqual(['dead', 25_000]);
  });

  it('takes anything read for a sign of life, and asks again only after the next silence', () => {
    const facts = (nowMs: number): PulseFacts => ({ ...idle, streamCount: 1, readMs: Math.min(nowMs, 20_000) });
    expect(answers(new Pulse(settings), facts, 40_000)).toEqual([['ping', 35_000]]);
  });

  it('lets a long silent stream be: its peer answers PINGs, and gets one in five minutes', () => {
    let ackedMs = -1;
    const pulse = new Pulse(settings);
    const pings: number[] = [];
    for (let nowMs = 0; nowMs <= 1_000_000; nowMs += 1000) {
      const readMs = Math.max(0, ackedMs);
      const answer = pulse.check({ ...idle, streamCount: 1, readMs, ackedMs }, nowMs);
      expect(answer).not.toBe('dead');
      if (answer !== 'ping') continue;
      pings.push(nowMs);
      ackedMs = nowMs + 500;
    }
    expect(pings).toEqual([15_000, 315_000, 615_000, 915_000]);
  });

  it('says nothing about a peer that does not read: it cannot be asked', () => {
    const facts = { ...idle, streamCount: 1, blockedSinceMs: 0 };
    expect(answers(new Pulse(settings), () => facts, 1_000_000)).toEqual([]);
  });

  it('never sends more PINGs in one silence than a gRPC server forgives, whatever is sent meanwhile', () => {
    const requests = fc.array(fc.boolean(), { minLength: 300, maxLength: 300 });
    fc.assert(
      fc.property(requests, (sentAt) => {
        const pulse = new Pulse(settings);
        let [ackedMs, usedMs, strikes, lastPingMs] = [-1, 0, 0, Number.NEGATIVE_INFINITY];
        for (const [second, isSent] of sentAt.entries()) {
          const nowMs = second * 1000;
          if (isSent) usedMs = nowMs;
          const facts = { ...idle, streamCount: 1, readMs: Math.max(0, ackedMs), ackedMs, usedMs };
          if (pulse.check(facts, nowMs) !== 'ping') continue;
          if (nowMs - lastPingMs < 300_000) strikes++;
          lastPingMs = nowMs;
          ackedMs = nowMs + 1;
        }
        expect(strikes).toBeLessThanOrEqual(2);
      }),
    );
  });
});
