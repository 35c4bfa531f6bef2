/** The table of open streams, against a Map that does the same. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Http2Stream, type StreamOwner } from '../../../sidecar/http2/stream.ts';
import { StreamMap } from '../../../sidecar/http2/stream-map.ts';

const owner: StreamOwner = {
  sendHeaders: () => {},
  sendData: () => {},
  sendTrailers: () => {},
  resetStream: () => {},
  creditStream: () => {},
};

const stream = (id: number): Http2Stream => new Http2Stream(id, owner, 65_535, 65_535);

describe('StreamMap', () => {
  test('holds what a Map holds, whatever comes and goes in whatever order', () => {
    const step = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 400 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const map = new StreamMap();
        const model = new Map<number, Http2Stream>();
        for (const [isAdd, number] of steps) {
          const id = number * 2 + 1;
          if (!isAdd) expect(map.delete(id)).toBe(model.delete(id));
          else if (!model.has(id)) {
            const added = stream(id);
            map.add(added);
            model.set(id, added);
          }
          expect(map.size).toBe(model.size);
          expect(map.get(id)).toBe(model.get(id));
        }
        for (let id = 1; id <= 801; id += 2) expect(map.get(id)).toBe(model.get(id));
        expect(new Set(map.values())).toEqual(new Set(model.values()));
      }),
    );
  });

  test('stays small and finds everything while a million streams pass a few that stay', () => {
    const map = new StreamMap();
    const staying = [1, 3, 33, 35].map(stream);
    for (const one of staying) map.add(one);
    for (let id = 101; id < 2_000_101; id += 2) {
      map.add(stream(id));
      if (!map.delete(id)) throw new Error(`stream ${id} was lost`);
    }
    expect(staying.map(({ id }) => map.get(id))).toEqual(staying);
    expect(map.values()).toHaveLength(4);
    expect(map.get(2_000_101)).toBeUndefined();
  });
});
