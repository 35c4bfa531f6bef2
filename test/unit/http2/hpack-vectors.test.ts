/** RFC 7541 Appendix C, example by example, and the errors that §5 and §6 name. */
import { describe, expect, it } from 'vitest';
import { HpackDecoder } from '../../../sidecar/http2/hpack/decoder.ts';

function decode(decoder: HpackDecoder, hex: string): string[] | string {
  const block = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  // Off the start of the buffer, so that offsets matter.
  const list = decoder.decode(Buffer.concat([Buffer.from('xyz'), block, Buffer.from('!')]), 3, 3 + block.length);
  return list === null ? decoder.error : list.fields.map((field) => `${field.name}: ${field.value}`);
}

const first = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const third = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
];

const responses = [
  [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 307',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
];

describe('HpackDecoder decodes RFC 7541 Appendix C', () => {
  it('C.2 single representations', () => {
    expect(decode(new HpackDecoder(), '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572')).toEqual([
      'custom-key: custom-header',
    ]);
    expect(decode(new HpackDecoder(), '040c 2f73 616d 706c 652f 7061 7468')).toEqual([':path: /sample/path']);
    const decoder = new HpackDecoder();
    expect(decode(decoder, '1008 7061 7373 776f 7264 0673 6563 7265 74')).toEqual(['password: secret']);
    expect(decoder.tableBytes).toBe(0);
    expect(decode(decoder, '82')).toEqual([':method: GET']);
  });

  it('C.3 requests without Huffman coding', () => {
    const decoder = new HpackDecoder();
    expect(decode(decoder, '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d')).toEqual(first);
    expect(decoder.tableBytes).toBe(57);
    expect(decode(decoder, '8286 84be 5808 6e6f 2d63 6163 6865')).toEqual([...first, 'cache-control: no-cache']);
    expect(decoder.tableBytes).toBe(110);
    expect(decode(decoder, '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65')).toEqual(third);
    expect(decoder.tableBytes).toBe(164);
  });

  it('C.4 requests with Huffman coding', () => {
    const decoder = new HpackDecoder();
    expect(decode(decoder, '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')).toEqual(first);
    expect(decode(decoder, '8286 84be 5886 a8eb 1064 9cbf')).toEqual([...first, 'cache-control: no-cache']);
    expect(decode(decoder, '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')).toEqual(third);
    expect(decoder.tableBytes).toBe(164);
  });

  it('C.5 responses without Huffman coding, evicting from a table of 256 bytes', () => {
    const decoder = new HpackDecoder();
    decode(decoder, '3fe1 01');
    expect(
      decode(
        decoder,
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d ' +
          '546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      ),
    ).toEqual(responses[0]);
    expect(decoder.tableBytes).toBe(222);
    expect(decode(decoder, '4803 3330 37c1 c0bf')).toEqual(responses[1]);
    expect(decoder.tableBytes).toBe(222);
    expect(
      decode(
        decoder,
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f ' +
          '6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 ' +
          '303b 2076 6572 7369 6f6e 3d31',
      ),
    ).toEqual(responses[2]);
    expect(decoder.tableBytes).toBe(215);
  });

  it('C.6 responses with Huffman coding, evicting from a table of 256 bytes', () => {
    const decoder = new HpackDecoder();
    decode(decoder, '3fe1 01');
    expect(
      decode(
        decoder,
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 ' +
          '8f0b 97c8 e9ae 82ae 43d3',
      ),
    ).toEqual(responses[0]);
    expect(decode(decoder, '4883 640e ffc1 c0bf')).toEqual(responses[1]);
    expect(
      decode(
        decoder,
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 ' +
          'dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ),
    ).toEqual(responses[2]);
    expect(decoder.tableBytes).toBe(215);
  });
});

describe('HpackDecoder refuses', () => {
  const cases: [why: string, hex: string, error: RegExp][] = [
    ['index 0 (§6.1)', '80', /index 0/],
    ['an index beyond both tables (§2.3.3)', 'be', /index 62/],
    ['a name index beyond both tables (§2.3.3)', '7f00 0161', /index 63/],
    ['an integer of six continuation bytes (§5.1)', 'ff80 8080 8080 00', /too large/],
    ['an integer beyond 2^31 - 1 (§5.1)', 'ffff ffff ff7f', /too large/],
    ['an integer that is cut off (§5.1)', 'ff80', /ends within an integer/],
    ['a string that is longer than the block (§5.2)', '0405 2f61', /longer than the block/],
    ['a block that ends before the value (§6.2)', '04', /ends within a field/],
    ['EOS in a string (§5.2)', '0484 ffff ffff', /Huffman/],
    ['padding of eight bits (§5.2)', '0482 63ff', /Huffman/],
    ['padding that is not all ones (§5.2)', '0481 18', /Huffman/],
    ['a table size update behind a field (§4.2)', '8220', /behind a field/],
    ['a table size above the limit (§6.3)', '3fe2 1f', /4097 bytes, 4096 allowed/],
  ];
  for (const [why, hex, error] of cases) {
    it(why, () => {
      expect(decode(new HpackDecoder(), hex)).toMatch(error);
    });
  }

  it('not what lies just inside: padding of seven ones, two size updates, the whole table', () => {
    expect(decode(new HpackDecoder(), '0481 1f')).toEqual([':path: a']);
    expect(decode(new HpackDecoder(), '203f e11f 82')).toEqual([':method: GET']);
    expect(decode(new HpackDecoder(), '')).toEqual([]);
  });
});
