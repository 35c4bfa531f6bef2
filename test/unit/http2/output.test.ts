/** Where output collects: in order, in buffers whose size follows what a turn writes. */
import { describe, expect, test } from 'vitest';
import { Output, releaseChunk, type Written } from '../../../sidecar/http2/output.ts';

function write(output: Output, bytes: Buffer): void {
  const chunk = output.reserve(bytes.length);
  bytes.copy(chunk, output.position);
  output.position += bytes.length;
}

/** One turn that writes these pieces: the sizes of the buffers it took, and the bytes. */
function turn(output: Output, pieces: readonly number[]): { sizes: number[]; bytes: Buffer } {
  for (const [at, count] of pieces.entries()) write(output, Buffer.alloc(count, at + 1));
  const parts: Written[] = [];
  output.take(parts);
  const bytes = Buffer.concat(parts.map(({ chunk, length }) => Buffer.from(chunk.subarray(0, length))));
  for (const { chunk } of parts) releaseChunk(chunk);
  return { sizes: parts.map(({ chunk }) => chunk.length), bytes };
}

describe('Output', () => {
  test('pins 4 KiB for a small answer, as much as it needs for a large one, and keeps the order', () => {
    const output = new Output();
    expect(turn(output, [100]).sizes).toEqual([4096]);
    const { sizes, bytes } = turn(output, [100, 16_393, 50_000]);
    expect(sizes).toEqual([4096, 20_480, 65_536]);
    expect(bytes.equals(Buffer.concat([Buffer.alloc(100, 1), Buffer.alloc(16_393, 2), Buffer.alloc(50_000, 3)]))).toBe(
      true,
    );
  });

  test('begins with large buffers where turns write much, and goes back after quiet ones', () => {
    const output = new Output();
    const busy = Array.from({ length: 8 }, () => 16_393);
    turn(output, busy);
    expect(turn(output, busy).sizes).toEqual([65_536, 65_536, 65_536]);
    const sizes = Array.from({ length: 40 }, () => turn(output, [100]).sizes[0]);
    expect([sizes[0], sizes[20], sizes[39]]).toEqual([65_536, 20_480, 4096]);
  });

  test('drops everything when it is cleared', () => {
    const output = new Output();
    write(output, Buffer.alloc(70));
    output.clear();
    expect(output.bytes).toBe(0);
    expect(turn(output, []).sizes).toEqual([]);
  });
});
