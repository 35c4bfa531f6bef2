/** Frames that make sense, nearly make sense or make none, as fast-check draws them; and a legal beginning for either role. */
import fc from 'fast-check';
import { FrameType, prefaceBytes } from '../../../sidecar/http2/constants.ts';
import { frame } from '../wire.ts';

const getBlock = Buffer.from('828684410161', 'hex');
const postBlock = Buffer.from('838684410161', 'hex');
const okBlock = Buffer.from('88', 'hex');
const streamIds = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(1, 3, 5, 7) }, fc.nat(12));
const uint32 = fc.oneof(fc.nat(100_000), fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff));
const four = (value: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return payload;
};

const headers = fc
  .record({
    id: streamIds,
    flags: fc.constantFrom(4, 5, 5, 4, 0, 1, 0x0c, 0x24),
    block: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(getBlock, postBlock, okBlock) },
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    ),
  })
  .map(({ id, flags, block }) => frame(FrameType.headers, flags, id, block));
const data = fc
  .record({ id: streamIds, flags: fc.constantFrom(0, 1, 8, 9), bytes: fc.oneof(fc.nat(40), fc.nat(16_384)) })
  .map(({ id, flags, bytes }) => frame(FrameType.data, flags, id, Buffer.alloc(bytes, 3)));
const update = fc.tuple(streamIds, uint32).map(([id, value]) => frame(FrameType.windowUpdate, 0, id, four(value)));
const reset = fc.tuple(streamIds, uint32).map(([id, code]) => frame(FrameType.rstStream, 0, id, four(code)));
const settings = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 9 }), uint32), { maxLength: 4 })
  .map((entries) =>
    frame(
      FrameType.settings,
      0,
      0,
      Buffer.concat(entries.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), four(value)]))),
    ),
  );
const ping = fc.constantFrom(0, 1).map((flags) => frame(FrameType.ping, flags, 0, Buffer.alloc(8)));
const goaway = fc.tuple(uint32, uint32).map(([last, code]) => {
  return frame(FrameType.goaway, 0, 0, Buffer.concat([four(last), four(code)]));
});
const continuation = fc
  .tuple(streamIds, fc.constantFrom(0, 4), fc.uint8Array({ maxLength: 20 }))
  .map(([id, flags, bytes]) => frame(FrameType.continuation, flags, id, Buffer.from(bytes)));
const anything = fc
  .tuple(fc.nat(12), fc.nat(255), streamIds, fc.uint8Array({ maxLength: 40 }))
  .map(([type, flags, id, payload]) => frame(type, flags, id, Buffer.from(payload)));

export const hostileFrame: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 6, arbitrary: headers },
  { weight: 6, arbitrary: data },
  { weight: 2, arbitrary: update },
  { weight: 2, arbitrary: reset },
  { weight: 2, arbitrary: settings },
  ping,
  goaway,
  continuation,
  anything,
);

export const hostileFrames: fc.Arbitrary<Buffer[]> = fc.array(hostileFrame, { maxLength: 40, size: 'max' });

/** What a peer says first, toward an end of that role. */
export function greetingTo(isServer: boolean): Buffer {
  const settingsFrame = frame(FrameType.settings, 0, 0);
  return isServer ? Buffer.concat([prefaceBytes, settingsFrame]) : settingsFrame;
}
