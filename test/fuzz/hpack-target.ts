/**
 * HPACK. An input is a byte of limits, then header blocks, each behind its length in a byte (0 means 256). Two decoders,
 * with caches and without, must say the same; what they read, our encoder must carry to a third decoder unchanged.
 */
import type { Random } from '../../proto/kernel/random.ts';
import { HpackDecoder } from '../../sidecar/http2/hpack/decoder.ts';
import { HpackEncoder } from '../../sidecar/http2/hpack/encoder.ts';
import type { HeaderList } from '../../sidecar/http2/hpack/field.ts';
import { byteParts, mutateBytes, pick, pickOf } from './mutate.ts';
import { type Features, inputBytesMax, type Target } from './target.ts';

const pieces = [
  '82',
  '84',
  '86',
  '88',
  'be',
  'bf',
  'c0',
  '4003616263036465 66',
  '00 03616263 03646566',
  '10 03616263 03646566',
  '41 8cf1e3c2e5f23a6ba0ab90f4ff',
  '44 01 2f',
  '04 05 2f70617468',
  '5f 0a 677270632d74657374',
  '20',
  '3fe11f',
  '3f e1 ff ff ff 0f',
  '7f 80 01',
  'ff ff ff ff ff 0f',
  '40 00 00',
  '0f 2f 03 313233',
  '5c 01 35',
  '60 03 613d62',
].map((text) => Buffer.from(text.replaceAll(' ', ''), 'hex'));

function blocksOf(input: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 1; at < input.length; ) {
    const length = input[at] || 256;
    blocks.push(input.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return blocks;
}

function inputOf(first: number, blocks: readonly Buffer[]): Buffer {
  const parts = blocks
    .filter((block) => block.length > 0)
    .map((block) => block.subarray(0, 256))
    .flatMap((block) => [Buffer.from([block.length & 0xff]), block]);
  return Buffer.concat([Buffer.from([first]), ...parts]).subarray(0, inputBytesMax);
}

function textOf(list: HeaderList): string {
  const fields = list.fields.map(({ name, value, neverIndexed }) => [name, value, neverIndexed]);
  const { requestError, responseError, trailersError, tooLarge, contentLength, status, bytes } = list;
  return JSON.stringify([fields, requestError, responseError, trailersError, tooLarge, contentLength, status, bytes]);
}

export class HpackTarget implements Target {
  readonly name = 'hpack';

  seeds(): Buffer[] {
    return [inputOf(0, pieces), inputOf(1, [Buffer.concat(pieces.slice(0, 12))]), inputOf(2, [pieces[7]!, pieces[4]!])];
  }

  run(input: Buffer, features: Features): void {
    const first = input[0] ?? 0;
    const small = { listBytesMax: 500, fieldsMax: 10, fieldBytesMax: 100 };
    const limits = (first & 1) === 0 ? {} : small;
    const [cached, plain] = [new HpackDecoder(limits), new HpackDecoder({ ...limits, caching: false })];
    const [encoder, other] = [new HpackEncoder(), new HpackEncoder(4096, { caching: false })];
    const next = new HpackDecoder({ listBytesMax: 1 << 20, fieldsMax: 1 << 16, fieldBytesMax: 1 << 20 });
    for (const block of blocksOf(input)) {
      const [list, same] = [cached.decode(block, 0, block.length), plain.decode(block, 0, block.length)];
      if (cached.error !== plain.error) throw new Error(`errors differ: "${cached.error}" and "${plain.error}"`);
      if (cached.tableBytes !== plain.tableBytes) throw new Error('tables differ');
      if (cached.tableBytes > 4096) throw new Error(`table of ${cached.tableBytes} bytes`);
      if (list === null || same === null) {
        if (list !== same) throw new Error('one decoder refused what the other read');
        features.add(`error ${cached.error.replace(/\d+/g, 'n')}`);
        return;
      }
      const text = textOf(list);
      if (text !== textOf(same)) throw new Error('lists differ');
      if (list.fields.length > block.length) throw new Error('more fields than bytes');
      features.add(`list ${Math.min(list.fields.length, 12)} ${list.requestError} ${list.responseError}`);
      for (const { id, indexing, invalid } of list.fields) features.add(`field ${id} ${indexing} ${invalid}`);
      if ((first & 2) !== 0) encoder.setPeerTableBytes(block[0]! * 16);
      if ((first & 2) !== 0) other.setPeerTableBytes(block[0]! * 16);
      const out = Buffer.alloc(encoder.boundBytes(list));
      const end = encoder.encode(list, out, 0);
      const plainOut = Buffer.alloc(other.boundBytes(list));
      const plainEnd = other.encode(list, plainOut, 0);
      if (!out.subarray(0, end).equals(plainOut.subarray(0, plainEnd))) throw new Error('the encoder’s cache shows');
      const read = next.decode(out, 0, end);
      if (read === null) throw new Error(`our own block was refused: ${next.error}`);
      const sent = list.fields.map(({ name, value }) => `${name}: ${value}`).join('\n');
      const got = read.fields.map(({ name, value }) => `${name}: ${value}`).join('\n');
      if (sent !== got) throw new Error('the list changed on its way');
      if (list.fields.some(({ neverIndexed }, at) => neverIndexed && !read.fields[at]!.neverIndexed)) {
        throw new Error('a field that must not be indexed may be now');
      }
    }
  }

  mutate(input: Buffer, other: Buffer, random: Random): Buffer {
    if (pick(random, 4) === 0) return mutateBytes(input, other, random);
    const blocks = blocksOf(input).map((block) => Buffer.from(block));
    const foreign = blocksOf(other);
    for (let changes = 1 + pick(random, 4); changes > 0; changes--) {
      const at = pick(random, blocks.length + 1);
      const here = blocks[at];
      switch (pick(random, 6)) {
        case 0:
          blocks.splice(at, 1);
          break;
        case 1:
          if (here !== undefined) blocks.splice(at, 0, here, here);
          break;
        case 2:
          if (here !== undefined) blocks[at] = Buffer.from(mutateBytes(here, other, random));
          break;
        case 3:
          if (foreign.length > 0) blocks.splice(at, 0, Buffer.from(pickOf(random, foreign)));
          break;
        default:
          if (here !== undefined) blocks[at] = Buffer.concat([here, pickOf(random, pieces)]);
          else blocks.push(pickOf(random, pieces));
      }
    }
    return inputOf(pick(random, 16) === 0 ? pick(random, 4) : (input[0] ?? 0), blocks);
  }

  parts(input: Buffer): [number, number][] {
    return byteParts(input.length, 1);
  }

  async close(): Promise<void> {}
}
