/**
 * Serialises frames into a connection's output (RFC 9113 §4.1, §6). Nothing here allocates; header blocks and DATA
 * payloads are written by their owners behind a frame header from here.
 */
import { Flag, FrameType, frameHeaderBytes } from './constants.ts';
import type { Output } from './output.ts';

/** Writes a frame header at `at` and returns the position behind it. */
export function writeFrameHeader(
  out: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  out[at] = length >>> 16;
  out[at + 1] = length >>> 8;
  out[at + 2] = length;
  out[at + 3] = type;
  out[at + 4] = flags;
  return writeUint32(out, at + 5, streamId);
}

function writeUint32(out: Buffer, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

export function writeSettings(output: Output, settings: readonly (readonly [id: number, value: number])[]): void {
  const length = settings.length * 6;
  const out = output.reserve(frameHeaderBytes + length);
  let at = writeFrameHeader(out, output.position, length, FrameType.settings, 0, 0);
  for (const [id, value] of settings) {
    out[at] = id >>> 8;
    out[at + 1] = id;
    at = writeUint32(out, at + 2, value);
  }
  output.position = at;
}

export function writeSettingsAck(output: Output): void {
  const out = output.reserve(frameHeaderBytes);
  output.position = writeFrameHeader(out, output.position, 0, FrameType.settings, Flag.ack, 0);
}

export function writePing(output: Output, ack: boolean, payload: Buffer, start: number): void {
  const out = output.reserve(frameHeaderBytes + 8);
  const at = writeFrameHeader(out, output.position, 8, FrameType.ping, ack ? Flag.ack : 0, 0);
  payload.copy(out, at, start, start + 8);
  output.position = at + 8;
}

export function writeWindowUpdate(output: Output, streamId: number, increment: number): void {
  const out = output.reserve(frameHeaderBytes + 4);
  const at = writeFrameHeader(out, output.position, 4, FrameType.windowUpdate, 0, streamId);
  output.position = writeUint32(out, at, increment);
}

export function writeRstStream(output: Output, streamId: number, code: number): void {
  const out = output.reserve(frameHeaderBytes + 4);
  const at = writeFrameHeader(out, output.position, 4, FrameType.rstStream, 0, streamId);
  output.position = writeUint32(out, at, code);
}

/** `detail` goes to the peer as debug data: never put anything secret into it. */
export function writeGoaway(output: Output, lastStreamId: number, code: number, detail: string): void {
  const debug = detail.slice(0, 128);
  const out = output.reserve(frameHeaderBytes + 8 + debug.length);
  let at = writeFrameHeader(out, output.position, 8 + debug.length, FrameType.goaway, 0, 0);
  at = writeUint32(out, at, lastStreamId);
  at = writeUint32(out, at, code);
  at += out.write(debug, at, 'latin1');
  output.position = at;
}
