/**
 * Header blocks byte by byte (RFC 7541 §6), right or wrong, as an attacker writes them; and the frames around them that
 * are needed most. No Huffman, no table but what the caller asks for.
 */
import { Flag, FrameType } from '../../../sidecar/http2/constants.ts';
import { frame } from '../wire.ts';

/** §5.1, with the pattern's bits in the first byte. */
function integer(value: number, prefixBits: number, pattern: number): Buffer {
  const max = (1 << prefixBits) - 1;
  if (value < max) return Buffer.from([pattern | value]);
  const bytes = [pattern | max];
  let rest = value - max;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function text(value: string): Buffer {
  return Buffer.concat([integer(value.length, 7, 0), Buffer.from(value, 'latin1')]);
}

/** §6.2.2: a literal that leaves the table alone. */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

/** §6.2.1: a literal that goes into the table. */
export function inserted(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), text(name), text(value)]);
}

/** §6.1: a reference; 62 is the newest entry of the dynamic table. */
export function indexed(index: number): Buffer {
  return integer(index, 7, 0x80);
}

export type Fields = readonly (readonly [name: string, value: string])[];

export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.map(([name, value]) => literal(name, value)));
}

export function request(method: string, path: string, ...more: Fields): Buffer {
  return block([[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'app'], ...more]);
}

/** A request in four bytes and its path: GET, http, authority by literal. */
export function shortGet(path: string): Buffer {
  return Buffer.concat([indexed(2), indexed(6), Buffer.from([0x04]), text(path), Buffer.from([0x01]), text('app')]);
}

export function headers(streamId: number, fields: Buffer, flags: number = Flag.endHeaders | Flag.endStream): Buffer {
  return frame(FrameType.headers, flags, streamId, fields);
}

export function continuation(streamId: number, fields: Buffer = Buffer.alloc(0), flags = 0): Buffer {
  return frame(FrameType.continuation, flags, streamId, fields);
}

export function data(streamId: number, content: Buffer | string, flags = 0): Buffer {
  return frame(FrameType.data, flags, streamId, typeof content === 'string' ? Buffer.from(content) : content);
}

export function reset(streamId: number, code: number): Buffer {
  return frame(FrameType.rstStream, 0, streamId, uint32(code));
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(FrameType.windowUpdate, 0, streamId, uint32(increment));
}

export function settings(...entries: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(entries.length * 6);
  entries.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame(FrameType.settings, 0, 0, payload);
}

export function ping(): Buffer {
  return frame(FrameType.ping, 0, 0, Buffer.alloc(8));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
