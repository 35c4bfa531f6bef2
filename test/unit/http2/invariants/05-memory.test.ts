/**
 * Invariant 5: what waits is never more than what was advertised, and what it pins is hardly more than what waits: a
 * 10-byte slice must not keep the 64 KiB alive that it was read into.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeaderList } from '../../../../sidecar/http2/hpack/field.ts';
import { collectGarbage } from '../../../support/garbage.ts';
import { MessageWitness } from '../../../support/model/message-witness.ts';
import { ModelEnd } from '../../../support/model/model-end.ts';
import { Traffic } from '../../../support/model/traffic.ts';
import { until } from '../../../support/until.ts';

const post = HeaderList.of([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);

const plans = fc.array(fc.tuple(fc.nat(400_000), fc.nat(400_000), fc.boolean()), { minLength: 1, maxLength: 12 });

describe('content in a proxy', () => {
  test('waits only as far as credit was given for it, at rest and with sockets that take nothing', () => {
    fc.assert(
      fc.property(plans, fc.array(fc.nat(5), { maxLength: 6 }), (all, blocked) => {
        const traffic = new Traffic(2);
        const ends = traffic.chain.hops.flat();
        for (const at of blocked) ends[at]?.block();
        for (const [requestBytes, responseBytes, isReading] of all) {
          traffic.begin({ requestBytes, responseBytes, trailers: true }, isReading);
        }
        for (let round = 0; round < 4; round++) {
          traffic.settle();
          // Heads and control frames are not content; they are bounded by the number of streams.
          const controlBytes = 2048 + all.length * 512;
          expect(traffic.queuedInRelays).toBeLessThanOrEqual(traffic.heldInRelays + controlBytes);
          ends[blocked[round] ?? round]?.unblock();
        }
        for (const end of ends) end.unblock();
        for (const call of traffic.calls) call.resume();
        traffic.settle();
        expect(traffic.calls.every((call) => call.isComplete)).toBe(true);
        expect(traffic.leftovers).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('pins no more than about itself: 5,000 slices of 10 bytes, each of a buffer of 64 KiB', async () => {
    const client = new ModelEnd(false);
    const stream = client.connection.request(post, false, new MessageWitness(0));
    client.block();
    client.turn();
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 5000; i++) {
      const read = Buffer.allocUnsafeSlow(65_536);
      stream.sendData(read, 100, 110, false);
    }
    expect(stream.queuedBytes).toBe(50_000);
    // 320 MiB went through.
    const isSmall = (): boolean => {
      collectGarbage();
      return process.memoryUsage().arrayBuffers - before < 4 << 20;
    };
    // Array buffers are swept beside the collection.
    await until(isSmall, { what: 'less than 4 MiB are pinned' });
  });
});
