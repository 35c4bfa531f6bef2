/**
 * What is kept of a request for the case that nobody looked at it.
 */
import { describe, expect, test } from 'vitest';
import { Replay, replayBytesMax } from '../../../sidecar/exchange/replay.ts';

describe('Replay', () => {
  test('gives back what was sent, piece by piece, whatever the sizes', () => {
    for (const sizes of [[1], [1000, 24, 1], [1024], [5000, 11_384], Array.from({ length: 128 }, () => 128)]) {
      const replay = Replay.acquire();
      const parts = sizes.map((size, index) => Buffer.alloc(size, index + 1));
      for (const part of parts) {
        const read = Buffer.concat([Buffer.from('..'), part, Buffer.from('..')]);
        replay.keep(read, 2, 2 + part.length);
        // The read buffer is used again.
        read.fill(0);
      }
      expect(replay.content()?.equals(Buffer.concat(parts))).toBe(true);
      replay.release();
    }
  });

  test('gives up beyond its bound, for good, and says so', () => {
    const replay = Replay.acquire();
    replay.keep(Buffer.alloc(replayBytesMax), 0, replayBytesMax);
    expect(replay.content()?.length).toBe(replayBytesMax);
    replay.keep(Buffer.alloc(1), 0, 1);
    expect(replay.content()).toBeNull();
    replay.keep(Buffer.alloc(1), 0, 1);
    expect(replay.content()).toBeNull();
    replay.release();
  });

  test('starts empty for its next owner', () => {
    const first = Replay.acquire();
    first.keep(Buffer.alloc(replayBytesMax + 1), 0, replayBytesMax + 1);
    first.release();
    const second = Replay.acquire();
    expect(second).toBe(first);
    expect(second.content()?.length).toBe(0);
    second.release();
  });
});
