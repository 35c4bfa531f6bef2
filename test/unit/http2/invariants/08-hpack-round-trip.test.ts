/**
 * Invariant 8: decode(encode(h)) = h, and caches change nothing: the same bytes out of an encoder, the same lists out of a
 * decoder, with caches and without, over whole conversations with tables that are resized meanwhile.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HpackDecoder } from '../../../../sidecar/http2/hpack/decoder.ts';
import { HpackEncoder } from '../../../../sidecar/http2/hpack/encoder.ts';
import { HeaderList } from '../../../../sidecar/http2/hpack/field.ts';
import { type Pair, PeerEncoder } from '../hpack-peer.ts';

const octets = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const name = fc.oneof(
  fc.constantFrom(':path', ':authority', 'user-agent', 'cookie', 'x-a', 'x-b', 'grpc-timeout', 'te', 'authorization'),
  fc.string({ minLength: 1, maxLength: 12 }).map((text) => text.replace(/[^!-~]|[A-Z]/g, 'x')),
);
const pair: fc.Arbitrary<Pair> = fc.tuple(name, fc.oneof(fc.constantFrom('', '/', 'a', 'trailers'), octets));
const lists = fc.array(fc.array(pair, { maxLength: 14 }), { minLength: 1, maxLength: 6 });
/** Which list comes, and how large the peer's table is from there on (negative: as it was). */
const talk = fc.array(fc.tuple(fc.nat(), fc.integer({ min: -3000, max: 6000 })), { maxLength: 60, size: 'max' });

const seen = (list: HeaderList | null): unknown =>
  list === null ? null : list.fields.map((field) => [field.name, field.value, field.neverIndexed]);

test('every list survives the wire, and nobody can tell whether there were caches', () => {
  fc.assert(
    fc.property(lists, talk, (stock, turns) => {
      const made = stock.map((pairs) => HeaderList.of(pairs));
      const [cached, plain] = [new HpackEncoder(), new HpackEncoder(4096, { caching: false })];
      const [first, second] = [new HpackDecoder(), new HpackDecoder({ caching: false })];
      for (const [pick, tableBytes] of turns) {
        if (tableBytes >= 0) for (const encoder of [cached, plain]) encoder.setPeerTableBytes(tableBytes);
        const list = made[pick % made.length]!;
        const out = [cached, plain].map((encoder) => {
          const buf = Buffer.alloc(encoder.boundBytes(list));
          return buf.subarray(0, encoder.encode(list, buf, 0));
        });
        expect(out[0]!.equals(out[1]!)).toBe(true);
        const read = [first, second].map((decoder) => decoder.decode(out[0]!, 0, out[0]!.length));
        expect(seen(read[0]!)).toEqual(stock[pick % stock.length]!.map(([n, v], at) => [n, v, secret(list, at)]));
        expect(seen(read[1]!)).toEqual(seen(read[0]!));
        expect(read[1]!.requestError).toBe(read[0]!.requestError);
        expect(first.tableBytes).toBe(second.tableBytes);
      }
    }),
    { numRuns: 75 },
  );
});

/** What the encoder keeps out of every table stays out of every table. */
function secret(list: HeaderList, at: number): boolean {
  const id = list.fields[at]!.name;
  return ['cookie', 'authorization', 'set-cookie', 'proxy-authorization', 'x-api-key'].includes(id);
}

test('any bytes mean the same with caches and without, up to and including the error', () => {
  const blocks = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.array(pair, { maxLength: 6 }).map((pairs) => new PeerEncoder().encode(pairs)),
      fc
        .constantFrom('82868441', 'be', 'bfbe', '20', '3fe11f', '400161016282', '7f00')
        .map((hex) => Buffer.from(hex, 'hex')),
    ),
    { maxLength: 40, size: 'max' },
  );
  fc.assert(
    fc.property(blocks, (all) => {
      const [cached, plain] = [new HpackDecoder(), new HpackDecoder({ caching: false })];
      for (const block of all) {
        const [one, other] = [cached, plain].map((decoder) => decoder.decode(block, 0, block.length));
        expect(seen(one!)).toEqual(seen(other!));
        expect(cached.error).toBe(plain.error);
        expect(cached.tableBytes).toBe(plain.tableBytes);
        if (one === null) return;
      }
    }),
    { numRuns: 150 },
  );
});
