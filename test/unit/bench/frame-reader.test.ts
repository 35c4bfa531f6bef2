/** The generator and the origin count by frame headers alone: a frame missed is a request miscounted. */
import { describe, expect, it } from 'vitest';
import {
  beginsWithStatus200,
  FrameReader,
  frame,
  frameFlag,
  frameType,
  settingId,
  settingIn,
  settingsFrame,
} from '../../bench/frame-reader.ts';

describe('FrameReader of the benchmark', () => {
  const stream = Buffer.concat([
    Buffer.from('preface'),
    settingsFrame([[settingId.initialWindowBytes, 1000]]),
    frame(frameType.headers, 0x04, 1, [0x88, 0x0f]),
    frame(frameType.data, frameFlag.endStream, 1, Buffer.alloc(300, 7)),
  ]);

  it('tells the same frames however the bytes are split', () => {
    for (let size = 1; size <= stream.length; size++) {
      const told: string[] = [];
      const reader = new FrameReader((type, flags, id, _bytes, start, end) => {
        told.push(`${type} ${flags} ${id} ${end - start}`);
      }, 7);
      for (let at = 0; at < stream.length; at += size) reader.read(stream.subarray(at, at + size));
      expect(told).toEqual(['4 0 0 6', '1 4 1 2', '0 1 1 300']);
    }
  });

  it('finds a setting, and null where it is not', () => {
    const settings = settingsFrame([
      [settingId.headerTableSize, 0],
      [settingId.concurrentStreamsMax, 100],
    ]);
    expect(settingIn(settings, 9, settings.length, settingId.concurrentStreamsMax)).toBe(100);
    expect(settingIn(settings, 9, settings.length, settingId.initialWindowBytes)).toBeNull();
  });
});

describe('beginsWithStatus200', () => {
  const of = (flags: number, bytes: number[]) => beginsWithStatus200(flags, Buffer.from(bytes), 0, bytes.length);

  it('sees the static index, behind padding, priority and table size updates too', () => {
    expect(of(0, [0x88])).toBe(true);
    expect(of(frameFlag.padded, [0, 0x88])).toBe(true);
    expect(of(frameFlag.priority, [0, 0, 0, 0, 0, 0x88])).toBe(true);
    expect(of(0, [0x20, 0x3f, 0xe1, 0x1f, 0x88])).toBe(true);
  });

  it('refuses every other status', () => {
    expect(of(0, [0x8d])).toBe(false);
    expect(of(0, [0x48, 0x03, 0x34, 0x32, 0x39])).toBe(false);
    expect(of(0, [0x20])).toBe(false);
  });
});
