/**
 * The engine's connection. An input is a byte that says how the end at test behaves (`Manner`, and whether the peer's
 * greeting is left out), then the bytes that the peer sends. Most changes keep the frames whole and change what they
 * say; some do not.
 */
import type { Random } from '../../proto/kernel/random.ts';
import { FrameType, prefaceBytes } from '../../sidecar/http2/constants.ts';
import { HostileEnd, Manner } from '../support/model/hostile-end.ts';
import { frame } from '../support/wire.ts';
import { byteParts, mutateBytes, pick, pickOf } from './mutate.ts';
import { type Features, inputBytesMax, type Target } from './target.ts';

/** In the first byte: nothing is sent but what the input has. */
const withoutGreeting = 64;

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const blocks = [
  hex('828684410161'),
  hex('838684410161'),
  hex('838684410161' + '5c0135'),
  hex('88'),
  hex('885c0135'),
  hex('8286844101610f0d0135'),
  hex('400361626303646566be'),
  hex('4003616263036465668286844101 61'.replace(' ', '')),
  hex('3fe11f828684410161'),
  hex('00026e6f0179'),
  hex('0f2b0b677270632d737461747573'),
  hex('be'),
  hex('828684410161 40 0274650874 7261696c657273'.replaceAll(' ', '')),
];
const uint32s = [0, 1, 2, 65_535, 65_536, 0x7fffffff, 0x80000000, 0xffffffff, 100, 16_384, 16_383];
const settingIds = [1, 2, 3, 4, 5, 6, 8, 9];

function four(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** A frame that a peer might send. */
function anyFrame(random: Random): Buffer {
  const id = pick(random, 8) === 0 ? pick(random, 20) : 1 + 2 * pick(random, 5);
  switch (pick(random, 12)) {
    case 0:
    case 1:
    case 2:
      return frame(FrameType.headers, pickOf(random, [4, 5, 4, 5, 0, 1, 0x0c, 0x24, 0x2d]), id, pickOf(random, blocks));
    case 3:
    case 4: {
      const flags = pickOf(random, [0, 0, 1, 8, 9]);
      return frame(FrameType.data, flags, id, Buffer.alloc(pickOf(random, [0, 1, 5, 6, 100, 2000, 16_384]), 2));
    }
    case 5:
      return frame(FrameType.continuation, pickOf(random, [0, 4]), id, pickOf(random, blocks));
    case 6:
      return frame(FrameType.windowUpdate, 0, pick(random, 2) * id, four(pickOf(random, uint32s)));
    case 7:
      return frame(FrameType.rstStream, 0, id, four(pick(random, 15)));
    case 8: {
      const entries = Array.from({ length: pick(random, 4) }, () =>
        Buffer.concat([Buffer.from([0, pickOf(random, settingIds)]), four(pickOf(random, uint32s))]),
      );
      return frame(FrameType.settings, pick(random, 8) === 0 ? 1 : 0, 0, Buffer.concat(entries));
    }
    case 9:
      return frame(FrameType.ping, pick(random, 2), 0, Buffer.alloc(8, pick(random, 256)));
    case 10:
      return frame(
        FrameType.goaway,
        0,
        0,
        Buffer.concat([four(pickOf(random, uint32s)), four(pick(random, 14)), Buffer.from('why')]),
      );
    default:
      return frame(pick(random, 12), pick(random, 256), id, Buffer.alloc(pick(random, 20), pick(random, 256)));
  }
}

/** Where the frames of an input lie; what is no whole frame is the last part. */
function framesAt(input: Buffer): [start: number, end: number][] {
  const found: [number, number][] = [];
  let at = 1;
  const text = Buffer.from(prefaceBytes);
  if (input.subarray(1, 1 + text.length).equals(text)) at += text.length;
  while (at < input.length) {
    const length = input.length - at >= 9 ? input.readUIntBE(at, 3) + 9 : input.length - at;
    const end = Math.min(input.length, at + length);
    found.push([at, end]);
    at = end;
  }
  return found;
}

export class ConnectionTarget implements Target {
  readonly name = 'connection';

  seeds(): Buffer[] {
    const get = frame(FrameType.headers, 5, 1, hex('828684410161'));
    const post = frame(FrameType.headers, 4, 1, hex('838684410161'));
    const answer = frame(FrameType.headers, 4, 1, hex('88'));
    const content = frame(FrameType.data, 0, 1, Buffer.alloc(100));
    const trailers = frame(FrameType.headers, 5, 1, hex('00026e6f0179'));
    const settings = frame(FrameType.settings, 0, 0, hex('000400000000'));
    return [
      Buffer.concat([Buffer.from([0]), get]),
      Buffer.concat([Buffer.from([0]), post, content, content, trailers]),
      Buffer.concat([Buffer.from([Manner.isClient]), answer, content, trailers]),
      Buffer.concat([Buffer.from([Manner.hasSmallLimits]), post, settings, content]),
      Buffer.concat([Buffer.from([withoutGreeting]), prefaceBytes, frame(FrameType.settings, 0, 0), get]),
    ];
  }

  run(input: Buffer, features: Features): void {
    const manner = input[0] ?? 0;
    const hostile = new HostileEnd(manner & 63);
    const isServer = (manner & Manner.isClient) === 0;
    features.add(`manner ${manner & 31}`);
    const { audit } = hostile.end;
    const count = audit.onFrame;
    audit.onFrame = (seen, isOut) => {
      count?.(seen, isOut);
      const { type, flags, streamId, payload } = seen;
      const code = isOut && (type === FrameType.rstStream || type === FrameType.goaway) ? payload.toString('hex') : '';
      features.add(`${isOut ? 'out' : 'in'} ${type} ${flags & 0x2d} ${streamId === 0 ? 0 : 1} ${code.slice(-8)}`);
    };
    hostile.trace = (call) => features.add(call);
    if ((manner & withoutGreeting) === 0) {
      const settings = frame(FrameType.settings, 0, 0);
      hostile.feed(isServer ? Buffer.concat([prefaceBytes, settings]) : settings);
    }
    for (const [start, end] of framesAt(input)) hostile.feed(input.subarray(start, end));
    if (hostile.end.fatal !== null) features.add(`fatal ${hostile.end.fatal.detail.replace(/\d+/g, 'n')}`);
    for (const limit of hostile.end.limits) features.add(`limit ${limit}`);
    hostile.end.connection.onTick(1);
    hostile.finish();
  }

  mutate(input: Buffer, other: Buffer, random: Random): Buffer {
    if (pick(random, 8) === 0) return mutateBytes(input, other, random);
    const frames: Buffer[] = framesAt(input).map(([start, end]) => Buffer.from(input.subarray(start, end)));
    const manner = Buffer.from([pick(random, 16) === 0 ? pick(random, 128) : (input[0] ?? 0)]);
    const foreign = framesAt(other);
    for (let changes = 1 + pick(random, 5); changes > 0; changes--) {
      const at = pick(random, frames.length + 1);
      const here = frames[at];
      switch (pick(random, 8)) {
        case 0:
          frames.splice(at, 1);
          break;
        case 1:
          if (here !== undefined)
            frames.splice(at, 0, ...Array.from({ length: 1 + pick(random, 20) }, () => Buffer.from(here)));
          break;
        case 2:
          if (here !== undefined && here.length >= 9) here[4] = pickOf(random, [0, 1, 4, 5, 8, 9, 0x20, 0x2d]);
          break;
        case 3:
          if (here !== undefined && here.length >= 9) here.writeUInt32BE(pick(random, 10), 5);
          break;
        case 4: {
          const from = foreign[pick(random, foreign.length)];
          if (from !== undefined) frames.splice(at, 0, Buffer.from(other.subarray(...from)));
          break;
        }
        case 5:
          if (here !== undefined && here.length > 9) here[9 + pick(random, here.length - 9)] = pick(random, 256);
          break;
        default:
          frames.splice(at, 0, anyFrame(random));
      }
    }
    return Buffer.concat([manner, ...frames]).subarray(0, inputBytesMax);
  }

  parts(input: Buffer): [number, number][] {
    return [...framesAt(input), ...byteParts(input.length, 1)];
  }

  async close(): Promise<void> {}
}
