/** HPACK between our two halves, and against another encoder. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackDecoder, type HpackDecoderLimits } from '../../../sidecar/http2/hpack/decoder.ts';
import { HpackEncoder } from '../../../sidecar/http2/hpack/encoder.ts';
import { type Field, HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { huffmanDecode, huffmanDecodedBytesMax } from '../../../sidecar/http2/hpack/huffman.ts';
import { huffmanEncode, integer, type Pair, PeerEncoder } from './hpack-peer.ts';

const pairsOf = (list: HeaderList): Pair[] => list.fields.map((field) => [field.name, field.value]);

function encoded(encoder: HpackEncoder, list: HeaderList): Buffer {
  const bound = encoder.boundBytes(list);
  const out = Buffer.alloc(bound + 20, 0xee);
  const end = encoder.encode(list, out, 7);
  expect(end - 7).toBeLessThanOrEqual(bound);
  expect(out.subarray(end).every((byte) => byte === 0xee)).toBe(true);
  return out.subarray(7, end);
}

function decoded(decoder: HpackDecoder, block: Buffer): HeaderList {
  const list = decoder.decode(block, 0, block.length);
  expect(decoder.error).toBe('');
  if (list === null) throw new Error('no list');
  return list;
}

const names = [
  ':authority',
  ':path',
  ':method',
  ':status',
  'content-type',
  'te',
  'user-agent',
  'grpc-timeout',
  'traceparent',
  'grpc-status',
  'content-length',
  'date',
  'server',
  'authorization',
  'cookie',
  'set-cookie',
  'x-own',
  'x-other-name',
];
const values = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '200',
    '/',
    'GET',
    'trailers',
    'application/grpc',
    '/shop.Payments/Authorize',
    'payments.shop:50051',
  ),
  fc.string({ maxLength: 40 }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const pairs: fc.Arbitrary<Pair> = fc
  .tuple(fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 30 })), values)
  .filter(([name]) => /^[\x20-\x7e]*$/.test(name));
/** Lists from a small stock, so that they repeat. */
const conversations = fc
  .tuple(
    fc.array(fc.array(pairs, { maxLength: 12 }), { minLength: 1, maxLength: 5 }),
    fc.array(fc.nat(), { maxLength: 40 }),
  )
  .map(([stock, picks]) => picks.map((pick) => stock[pick % stock.length] ?? []));

describe('HpackEncoder and HpackDecoder', () => {
  it('give back every list of a conversation, with and without caches, byte for byte the same', () => {
    fc.assert(
      fc.property(conversations, fc.array(fc.tuple(fc.nat(40), fc.nat(5000))), (lists, resizes) => {
        const encoders = [new HpackEncoder(), new HpackEncoder(4096, { caching: false })];
        const decoders = [new HpackDecoder(), new HpackDecoder({ caching: false })];
        // The same objects again and again, as everything that is interned is.
        const made = new Map(lists.map((list) => [list, HeaderList.of(list)]));
        lists.forEach((pairs, i) => {
          for (const [at, bytes] of resizes) {
            if (at === i) for (const encoder of encoders) encoder.setPeerTableBytes(bytes);
          }
          const list = made.get(pairs) ?? HeaderList.of([]);
          const blocks = encoders.map((encoder) => encoded(encoder, list));
          expect(blocks[0]).toEqual(blocks[1]);
          for (const decoder of decoders) expect(pairsOf(decoded(decoder, blocks[0]!))).toEqual(pairs);
          const entries = encoders[0]!.entries();
          expect(entries.reduce((sum, field) => sum + field.bytes, 0)).toBe(decoders[0]!.tableBytes);
        });
      }),
    );
  });

  it('carry what another encoder sent through a hop', () => {
    fc.assert(
      fc.property(conversations, fc.constantFrom([], [':path'], names), (lists, unindexed) => {
        const peer = new PeerEncoder(unindexed);
        const [first, uncached, second] = [
          new HpackDecoder(),
          new HpackDecoder({ caching: false }),
          new HpackDecoder(),
        ];
        const encoder = new HpackEncoder();
        for (const pairs of lists) {
          const block = peer.encode(pairs);
          const list = decoded(first, block);
          const plain = decoded(uncached, block);
          expect(pairsOf(list)).toEqual(pairs);
          expect(facts(plain)).toEqual(facts(list));
          expect(facts(HeaderList.of(pairs))).toEqual(facts(list));
          expect(pairsOf(decoded(second, encoded(encoder, list)))).toEqual(pairs);
        }
      }),
    );
  });

  it('keep secrets out of the table, and never-indexed fields never-indexed', () => {
    const peer = new PeerEncoder();
    const decoder = new HpackDecoder();
    const encoder = new HpackEncoder();
    const next = new HpackDecoder();
    const secrets: Pair[] = [
      ['authorization', 'Bearer abc'],
      ['cookie', 'a=b'],
      ['set-cookie', 'c=d'],
      ['x-api-key', 'k'],
    ];
    const marked: Pair[] = [
      ['user-agent', 'private agent'],
      ['x-mine', 'hidden'],
    ];
    for (let i = 0; i < 4; i++) {
      const list = decoded(decoder, peer.encode([...secrets, ...marked], ['user-agent', 'x-mine']));
      expect(list.fields.filter((field) => field.neverIndexed).map((field) => field.name)).toEqual([
        'user-agent',
        'x-mine',
      ]);
      const sent = decoded(next, encoded(encoder, list));
      expect(pairsOf(sent)).toEqual([...secrets, ...marked]);
      expect(sent.fields.every((field) => field.neverIndexed)).toBe(true);
      expect(next.tableBytes).toBe(0);
      expect(encoder.entries()).toEqual([]);
    }
  });

  it('hand out the same list, and the same fields, for what repeats', () => {
    const peer = new PeerEncoder();
    const request: Pair[] = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/a'],
      [':authority', 'shop'],
    ];
    const [one, other] = [new HpackDecoder(), new HpackDecoder()];
    const lists = [1, 2, 3, 4, 5].map(() => decoded(one, peer.encode(request)));
    expect(lists[4]).toBe(lists[3]);
    const elsewhere = decoded(other, new PeerEncoder().encode(request));
    const authority = (list: HeaderList | undefined): Field | undefined => list?.fields[3];
    expect(authority(elsewhere)).toBe(authority(lists[0]));
    // Another table, hence another meaning of the same bytes.
    decoded(one, peer.encode([['x-new', 'entry']]));
    expect(pairsOf(decoded(one, peer.encode(request)))).toEqual(request);
  });

  it('index a path once it repeats, whether the peer indexes it or not, and as one field for all connections', () => {
    for (const unindexed of [[], [':path']]) {
      const encoder = new HpackEncoder();
      const next = new HpackDecoder();
      for (let connection = 0; connection < 3; connection++) {
        const peer = new PeerEncoder(unindexed);
        const decoder = new HpackDecoder();
        for (let i = 0; i < 5; i++) {
          const unique = decoded(decoder, peer.encode([[':path', `/unique/${connection}/${i}`]]));
          expect(decoded(next, encoded(encoder, unique)).path).toBe(`/unique/${connection}/${i}`);
          const list = decoded(decoder, peer.encode([[':path', '/shop.Payments/Refund']]));
          expect(decoded(next, encoded(encoder, list)).path).toBe('/shop.Payments/Refund');
        }
      }
      expect(encoder.entries().map((field) => field.value)).toEqual(['/shop.Payments/Refund']);
    }
    // Referred to in the very block that brings it.
    const block = Buffer.concat([integer(0x40, 6, 4), integer(0, 7, 6), Buffer.from('/again'), Buffer.from([0xbe])]);
    expect(pairsOf(decoded(new HpackDecoder(), block))).toEqual([
      [':path', '/again'],
      [':path', '/again'],
    ]);
  });

  it('do not mix up blocks of equal bytes under different tables', () => {
    const decoder = new HpackDecoder();
    const literal = (value: string): Buffer =>
      Buffer.concat([integer(0x40, 6, 1), integer(0, 7, value.length), Buffer.from(value)]);
    for (let i = 0; i < 200; i++) {
      decoded(decoder, literal(`host-${i}`));
      for (let again = 0; again < 3; again++) expect(decoded(decoder, Buffer.from([0xbe])).authority).toBe(`host-${i}`);
    }
  });

  it('announce the smallest and the last table size', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const list = HeaderList.of([['user-agent', 'test']]);
    decoded(decoder, encoded(encoder, list));
    encoder.setPeerTableBytes(0);
    encoder.setPeerTableBytes(100);
    encoder.setPeerTableBytes(1000);
    const block = encoded(encoder, list);
    expect(block.subarray(0, 4)).toEqual(Buffer.from([0x20, 0x3f, 0xc9, 0x07]));
    expect(pairsOf(decoded(decoder, block))).toEqual([['user-agent', 'test']]);
    encoder.setPeerTableBytes(2 ** 32 - 1);
    expect(encoded(encoder, list).subarray(0, 3)).toEqual(Buffer.from([0x3f, 0xe1, 0x1f]));
    // A limit of our own below the default is announced, too.
    expect(encoded(new HpackEncoder(0), list)[0]).toBe(0x20);
  });

  it('index a bounded number of paths', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (let i = 0; i < 1000; i++) {
      const list = HeaderList.of([
        [':path', `/users/${i}/and/some/more/of/it`],
        [':authority', 'shop'],
        ['user-agent', 'a'],
      ]);
      expect(decoded(decoder, encoded(encoder, list)).path).toBe(list.path);
      const entries = encoder.entries().map((field) => field.name);
      expect(entries.filter((name) => name !== ':path').sort()).toEqual([':authority', 'user-agent']);
    }
  });
});

const facts = (list: HeaderList): unknown => ({
  ...list,
  requestVerdict: 0,
  responseVerdict: 0,
  trailersVerdict: 0,
  id: 0,
  fields: pairsOf(list),
  errors: [list.requestError, list.responseError, list.trailersError],
});

describe('HpackDecoder with hostile input', () => {
  it('neither throws nor hangs nor exceeds its bounds on any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 }), fc.boolean(), (blocks, caching) => {
        const limits: HpackDecoderLimits = { caching, listBytesMax: 2000, fieldsMax: 20, fieldBytesMax: 500 };
        const decoder = new HpackDecoder(limits);
        for (const block of blocks) {
          const list = decoder.decode(block, 0, block.length);
          expect(decoder.tableBytes).toBeLessThanOrEqual(4096);
          if (list === null) {
            expect(decoder.error).not.toBe('');
            return;
          }
          expect(list.bytes).toBeLessThanOrEqual(2000);
          expect(list.fields.length).toBeLessThanOrEqual(20);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('stays in sync when a list is too large', () => {
    const decoder = new HpackDecoder({ listBytesMax: 1000 });
    const peer = new PeerEncoder([]);
    const list = decoded(decoder, peer.encode(Array.from({ length: 40 }, (_, i): Pair => [`x-${i}`, `value ${i}`])));
    expect(list.tooLarge).toBe(true);
    expect(list.bytes).toBeLessThanOrEqual(1000);
    const after: Pair[] = [
      ['x-39', 'value 39'],
      ['x-5', 'value 5'],
    ];
    const next = decoded(decoder, peer.encode(after));
    expect(pairsOf(next)).toEqual(after);
    expect(next.tooLarge).toBe(false);
  });

  it('counts fields and long fields', () => {
    const limits = { fieldsMax: 3, fieldBytesMax: 11 };
    expect(decoded(new HpackDecoder(limits), Buffer.from([0x82, 0x84, 0x86])).tooLarge).toBe(false);
    expect(decoded(new HpackDecoder(limits), Buffer.from([0x82, 0x84, 0x86, 0x88])).tooLarge).toBe(true);
    expect(decoded(new HpackDecoder(limits), new PeerEncoder().encode([['x-long', 'values']])).tooLarge).toBe(true);
  });

  it('ends the connection at an HPACK bomb: one byte for four kilobytes (CVE-2016-6581)', () => {
    const decoder = new HpackDecoder();
    decoded(decoder, new PeerEncoder([]).encode([['x-bomb', 'b'.repeat(4000)]]));
    expect(decoder.decode(Buffer.alloc(16_000, 0xbe), 0, 16_000)).toBeNull();
    expect(decoder.error).toBe('header list far too large');
  });
});

describe('Huffman decoding', () => {
  it('inverts the code for any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        const coded = huffmanEncode(Buffer.from(octets).toString('latin1'));
        const out = new Uint8Array(huffmanDecodedBytesMax(coded.length));
        const end = huffmanDecode(coded, 0, coded.length, out, 0);
        expect(out.subarray(0, end)).toEqual(octets);
      }),
    );
  });

  it('accepts exactly what the code makes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (coded) => {
        const out = new Uint8Array(huffmanDecodedBytesMax(coded.length));
        const end = huffmanDecode(coded, 0, coded.length, out, 0);
        if (end < 0) return;
        expect(huffmanEncode(Buffer.from(out.subarray(0, end)).toString('latin1'))).toEqual(Buffer.from(coded));
      }),
      { numRuns: 2000 },
    );
  });
});
