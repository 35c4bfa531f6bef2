/**
 * HTTP/2 read no deeper than the generator and the origin of the benchmark need: frame headers, and of payloads only
 * SETTINGS, PING, WINDOW_UPDATE and a response's first byte. Deliberately not the proxy's own parser, which is what
 * is being measured.
 */
export const frameType = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

export const frameFlag = { endStream: 0x01, ack: 0x01, padded: 0x08, priority: 0x20 } as const;

export const settingId = { headerTableSize: 1, enablePush: 2, concurrentStreamsMax: 3, initialWindowBytes: 4 } as const;

export const frameHeaderBytes = 9;
export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Told of each complete frame; the payload lies in `bytes` from `start` to `end` and only during the call. */
export type OnFrame = (
  type: number,
  flags: number,
  streamId: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

export class FrameReader {
  private readonly onFrame: OnFrame;
  private pending: Buffer | null = null;
  private skip: number;

  /** `skip`: bytes before the first frame, for a server the client's preface. */
  constructor(onFrame: OnFrame, skip = 0) {
    this.onFrame = onFrame;
    this.skip = skip;
  }

  /** `chunk` may be reused by the caller afterwards: what is incomplete is copied. */
  read(chunk: Buffer): void {
    let bytes = chunk;
    if (this.pending !== null) {
      bytes = Buffer.concat([this.pending, chunk]);
      this.pending = null;
    }
    let at = Math.min(this.skip, bytes.length);
    this.skip -= at;
    while (bytes.length - at >= frameHeaderBytes) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      const start = at + frameHeaderBytes;
      const end = start + length;
      if (end > bytes.length) break;
      this.onFrame(bytes[at + 3]!, bytes[at + 4]!, bytes.readUInt32BE(at + 5) & 0x7fffffff, bytes, start, end);
      at = end;
    }
    if (at < bytes.length) this.pending = Buffer.from(bytes.subarray(at));
  }
}

export function frame(type: number, flags: number, streamId: number, payload: readonly number[] | Buffer): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, Buffer.from(payload)]);
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  settings.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(frameType.settings, 0, 0, payload);
}

export const settingsAck = frame(frameType.settings, frameFlag.ack, 0, []);

export function windowUpdateFrame(streamId: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(frameType.windowUpdate, 0, streamId, payload);
}

export function pingAckFrame(bytes: Buffer, start: number): Buffer {
  return frame(frameType.ping, frameFlag.ack, 0, bytes.subarray(start, start + 8));
}

/** The value of one setting in a SETTINGS payload, or null. */
export function settingIn(bytes: Buffer, start: number, end: number, id: number): number | null {
  let value: number | null = null;
  for (let at = start; at + 6 <= end; at += 6) {
    if (bytes.readUInt16BE(at) === id) value = bytes.readUInt32BE(at + 2);
  }
  return value;
}

/** Whether a response's header block begins with `:status: 200`, which every encoder writes as one static index. */
export function beginsWithStatus200(flags: number, bytes: Buffer, start: number, end: number): boolean {
  let at = start + ((flags & frameFlag.padded) !== 0 ? 1 : 0) + ((flags & frameFlag.priority) !== 0 ? 5 : 0);
  // Dynamic table size updates may stand before the first field (RFC 7541 §4.2).
  while (at < end && (bytes[at]! & 0xe0) === 0x20) {
    const long = (bytes[at]! & 0x1f) === 0x1f;
    at++;
    if (long) while (at < end && (bytes[at++]! & 0x80) !== 0);
  }
  return at < end && bytes[at] === 0x88;
}
