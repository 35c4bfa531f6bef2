/**
 * Two whole proxies back to back under full load both ways, with sockets that block and free themselves at random: they
 * must not stall. Each waits for the other here: credit goes one way only when content went the other way first.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { carry, type ModelEnd } from '../../../support/model/model-end.ts';
import { Traffic } from '../../../support/model/traffic.ts';

const schedule = fc.array(
  fc.record({
    /** An end of one of the three connections. */
    end: fc.nat(5),
    blocks: fc.boolean(),
    turns: fc.integer({ min: 1, max: 4 }),
    most: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.constant(1 << 20)),
    pieces: fc.integer({ min: 9, max: 70_000 }),
  }),
  { maxLength: 40, size: 'max' },
);

test('two proxies facing each other never stall under full load both ways', () => {
  fc.assert(
    fc.property(schedule, fc.integer({ min: 1, max: 24 }), (moves, streams) => {
      const traffic = new Traffic(2);
      for (let i = 0; i < streams; i++) {
        traffic.begin({ requestBytes: 120_000, responseBytes: 120_000, trailers: i % 2 === 0 });
      }
      const ends: ModelEnd[] = traffic.chain.hops.flat();
      for (const { end, blocks, turns, most, pieces } of moves) {
        if (blocks) ends[end]!.block();
        else ends[end]!.unblock();
        for (let turn = 0; turn < turns; turn++) {
          for (const one of ends) one.turn();
          for (const [a, b] of traffic.chain.hops) {
            carry(a, b, () => pieces, most);
            carry(b, a, () => pieces, most);
          }
        }
      }
      for (const end of ends) end.unblock();
      traffic.settle();
      expect(traffic.calls.filter((call) => !call.isComplete).length).toBe(0);
      expect(traffic.leftovers).toEqual([]);
      expect(ends.map(({ fatal }) => fatal)).toEqual(ends.map(() => null));
      expect(traffic.chain.relays.map(({ side }) => side.settled)).toEqual([streams, streams]);
    }),
    { numRuns: 10 },
  );
});
