/**
 * A second reader of frames, written apart from the engine's own (test code may be slow and simple): it puts whole
 * frames together and knows nothing of what they mean. What it cannot read, the engine should not have written.
 */
import { prefaceText } from '../../../sidecar/http2/constants.ts';

export interface WireFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export class FrameParser {
  private pending = Buffer.alloc(0);
  private prefaceLeft: number;

  constructor(hasPreface: boolean) {
    this.prefaceLeft = hasPreface ? prefaceText.length : 0;
  }

  /** The frames that are whole now. */
  push(bytes: Buffer): WireFrame[] {
    this.pending = Buffer.concat([this.pending, bytes]);
    const frames: WireFrame[] = [];
    if (this.prefaceLeft > 0) {
      if (this.pending.length < this.prefaceLeft) return frames;
      if (this.pending.toString('latin1', 0, prefaceText.length) !== prefaceText) throw new Error('no preface');
      this.pending = this.pending.subarray(prefaceText.length);
      this.prefaceLeft = 0;
    }
    let at = 0;
    while (this.pending.length - at >= 9) {
      const length = this.pending.readUIntBE(at, 3);
      if (this.pending.length - at < 9 + length) break;
      const streamId = this.pending.readUInt32BE(at + 5);
      if (streamId > 0x7fffffff) throw new Error('reserved bit set');
      const [type, flags] = [this.pending[at + 3]!, this.pending[at + 4]!];
      const payload = Buffer.from(this.pending.subarray(at + 9, at + 9 + length));
      frames.push({ type, flags, streamId, payload });
      at += 9 + length;
    }
    this.pending = this.pending.subarray(at);
    return frames;
  }

  /** Bytes of a frame that is not whole yet. */
  get rest(): number {
    return this.pending.length;
  }
}
