/**
 * Writes a header list as HEADERS and, where one frame is too small, CONTINUATION (RFC 9113 §6.2, §6.10).
 */
import { Flag, FrameType, frameHeaderBytes } from './constants.ts';
import { writeFrameHeader } from './frame-writer.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import type { HeaderList } from './hpack/field.ts';
import type { Output } from './output.ts';
import { chunkBytesMax } from './output-chunks.ts';

export class HeaderWriter {
  readonly encoder: HpackEncoder;
  private readonly output: Output;

  constructor(output: Output, tableBytesMax: number) {
    this.encoder = new HpackEncoder(tableBytesMax);
    this.output = output;
  }

  write(streamId: number, list: HeaderList, endStream: boolean, frameBytesMax: number): void {
    const flags = endStream ? Flag.endStream : 0;
    const bound = this.encoder.boundBytes(list);
    const output = this.output;
    if (bound <= frameBytesMax && bound + frameHeaderBytes <= chunkBytesMax) {
      // The common case: straight into the output, the frame header put in front afterwards.
      const out = output.reserve(frameHeaderBytes + bound);
      const from = output.position + frameHeaderBytes;
      const end = this.encoder.encode(list, out, from);
      writeFrameHeader(out, output.position, end - from, FrameType.headers, flags | Flag.endHeaders, streamId);
      output.position = end;
      return;
    }
    const block = Buffer.allocUnsafe(bound);
    const length = this.encoder.encode(list, block, 0);
    const partMax = Math.min(frameBytesMax, 16_384);
    let pos = 0;
    do {
      const count = Math.min(length - pos, partMax);
      const out = output.reserve(frameHeaderBytes + count);
      const isLast = pos + count === length;
      const type = pos === 0 ? FrameType.headers : FrameType.continuation;
      const frameFlags = (pos === 0 ? flags : 0) | (isLast ? Flag.endHeaders : 0);
      const at = writeFrameHeader(out, output.position, count, type, frameFlags, streamId);
      block.copy(out, at, pos, pos + count);
      output.position = at + count;
      pos += count;
    } while (pos < length);
  }
}
