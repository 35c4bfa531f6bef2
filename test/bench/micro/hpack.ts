/**
 * What a header block costs, in ns: decoding what a peer like nghttp2 sent, and encoding the same list for the next
 * hop. Run with `node dist/test/bench/micro/hpack.js`.
 */
import { HpackDecoder } from '../../../sidecar/http2/hpack/decoder.ts';
import { HpackEncoder } from '../../../sidecar/http2/hpack/encoder.ts';
import { type Pair, PeerEncoder } from '../../unit/http2/hpack-peer.ts';

const warmUpRounds = 20;
const measuredRounds = 60;
const blocksPerRound = 4000;

const stableRequest: readonly Pair[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/shop.Payments/Authorize'],
  [':authority', 'payments.shop:50051'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
  ['user-agent', 'grpc-node-js/1.14.0'],
];

let seed = 1;
function hex(length: number): string {
  let out = '';
  while (out.length < length) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    out += seed.toString(16).padStart(8, '0');
  }
  return out.slice(0, length);
}

function uniqueRequest(): readonly Pair[] {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', `/api/v1/orders/${hex(15)}`],
    [':authority', 'payments.shop:50051'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['user-agent', 'grpc-node-js/1.14.0'],
    ['grpc-timeout', `${Number.parseInt(hex(4), 16).toString(36).slice(0, 3).padEnd(3, '9')}m`],
    ['traceparent', `00-${hex(32)}-${hex(16)}-01`],
  ];
}

function response(i: number): readonly Pair[] {
  return [
    [':status', '200'],
    ['server', 'weir'],
    ['date', 'Tue, 24 Nov 2026 00:00:00 GMT'],
    ['content-length', String(100 + (i % 900))],
    ['content-type', 'application/json'],
  ];
}

const nothingIndexed = [':path', 'traceparent', 'grpc-timeout'];
const cases: [name: string, unindexed: readonly string[], pairs: (i: number) => readonly Pair[]][] = [
  ['request, always the same', [':path'], () => stableRequest],
  ['request, unique, peer indexes all but :path', [':path'], uniqueRequest],
  ['request, unique, peer indexes all', [], uniqueRequest],
  ['request, unique, peer indexes no volatile', nothingIndexed, uniqueRequest],
  [
    'request, same :path, unique trace, grpc-js',
    [':path'],
    () => [...stableRequest, ['traceparent', `00-${hex(32)}-${hex(16)}-01`]],
  ],
  ['response, content-length varies', ['content-length'], response],
  ['response, content-length varies, indexed', [], response],
];

for (const [name, unindexed, pairs] of cases) {
  const peer = new PeerEncoder(unindexed);
  const blocks: Buffer[] = [];
  for (let i = 0; i < blocksPerRound; i++) blocks.push(peer.encode(pairs(i)));
  const input = Buffer.concat(blocks);
  const out = Buffer.alloc(65_536);
  const lengths = blocks.map((block) => block.length);
  const decodeNs: number[] = [];
  const bothNs: number[] = [];
  let outBytes = 0;
  for (let round = 0; round < warmUpRounds + measuredRounds; round++) {
    const encodes = round % 2 === 1;
    // A new connection each round: the peer's table began empty, too.
    const decoder = new HpackDecoder();
    const encoder = new HpackEncoder();
    let at = 0;
    outBytes = 0;
    const started = process.hrtime.bigint();
    for (let i = 0; i < blocksPerRound; i++) {
      const end = at + lengths[i]!;
      const list = decoder.decode(input, at, end);
      if (list === null) throw new Error(decoder.error);
      at = end;
      if (encodes) outBytes += encoder.encode(list, out, 0);
    }
    const ns = Number(process.hrtime.bigint() - started) / blocksPerRound;
    if (round >= warmUpRounds) (encodes ? bothNs : decodeNs).push(ns);
  }
  // The best round: whatever else the machine does only ever adds.
  const decode = Math.min(...decodeNs);
  const both = Math.min(...bothNs);
  console.log(
    `${name.padEnd(46)} decode ${decode.toFixed(0).padStart(5)} ns  encode ${(both - decode).toFixed(0).padStart(5)} ns  ` +
      `sum ${both.toFixed(0).padStart(5)} ns  in ${(input.length / blocksPerRound).toFixed(0)} B  out ${(outBytes / blocksPerRound).toFixed(0)} B`,
  );
}
