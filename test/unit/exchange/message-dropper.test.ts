/** Messages dropped where a reader is slow: which ones, that what is left is whole, and the bounds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageDropper } from '../../../sidecar/exchange/message-dropper.ts';
import { DropCause, DropCounts } from '../../../sidecar/exchange/message-drops.ts';
import { TrafficStats } from '../../../sidecar/exchange/traffic-stats.ts';
import { FlowBudget } from '../../../sidecar/http2/flow-budget.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';

const trailers = HeaderList.of([['grpc-status', '0']]);

/** A message that says which it is in its first byte. */
function message(id: number, bytes = 1): Buffer {
  const out = Buffer.alloc(5 + bytes, id);
  out[0] = 0;
  out.writeUInt32BE(bytes, 1);
  return out;
}

class Reader {
  readonly budget: FlowBudget;
  readonly traffic = new TrafficStats('inbound', 'shop/app');
  readonly parts: Buffer[] = [];
  isClosed = false;
  ended = 0;
  trailers: HeaderList | null = null;
  credited = 0;
  readonly dropper: MessageDropper;
  private undrained = 0;

  constructor(
    dropsOldest: boolean,
    messagesMax: number,
    bytesMax = 1000,
    { shadow = false, capBytes = Number.POSITIVE_INFINITY } = {},
  ) {
    this.budget = new FlowBudget(capBytes);
    const settings = { dropsOldest, messagesMax, bytesMax };
    const source = {
      credit: (bytes: number): void => {
        this.credited += bytes;
      },
    };
    const counts = new DropCounts(this.traffic, 1, shadow);
    this.dropper = new MessageDropper({ budget: this.budget, settings, shadow, counts, source, sink: this });
  }

  /** Of responses, by cause. */
  dropped(cause: number): number {
    return this.traffic.messagesDropped[3 + cause]!;
  }

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (end > start) this.parts.push(Buffer.from(buf.subarray(start, end)));
    this.undrained += end - start;
    if (endStream) this.ended++;
  }

  sendTrailers(list: HeaderList): void {
    this.trailers = list;
  }

  /** Its socket takes all that is on its way. */
  drain(): void {
    const bytes = this.undrained;
    this.undrained = 0;
    this.dropper.credit(bytes);
  }

  send(content: Buffer, ends = false): void {
    this.dropper.sendData(content, 0, content.length, ends);
  }

  drainAll(): void {
    while (this.undrained > 0) this.drain();
  }

  /** Which messages came; throws when one did not come whole, and as it was sent. An empty one has no number. */
  get ids(): number[] {
    const content = Buffer.concat(this.parts);
    const ids: number[] = [];
    for (let at = 0; at < content.length; ) {
      const length = content.readUInt32BE(at + 1);
      const body = content.subarray(at + 5, at + 5 + length);
      expect(body.length).toBe(length);
      expect(new Set(body).size).toBeLessThanOrEqual(1);
      ids.push(body[0] ?? ids.at(-1) ?? 0);
      at += 5 + length;
    }
    return ids;
  }
}

/** Too large to go on together with another. */
const big = 20_000;

describe('MessageDropper', () => {
  test('loses nothing while the reader keeps up', () => {
    const reader = new Reader(true, 1);
    for (let id = 0; id < 100; id++) {
      reader.send(message(id));
      reader.drain();
    }
    expect([reader.ids.length, reader.dropper.messagesDropped]).toEqual([100, 0]);
  });

  test('loses nothing of many messages that come at once and find the way free', () => {
    const reader = new Reader(true, 1);
    reader.send(Buffer.concat(Array.from({ length: 100 }, (_, id) => message(id))), true);
    expect([reader.ids.length, reader.ended, reader.dropper.messagesDropped]).toEqual([100, 1, 0]);
  });

  test('keeps the newest messages when it drops the oldest, and the oldest when it drops the newest', () => {
    for (const [dropsOldest, kept, cause] of [
      [true, [0, 8, 9], DropCause.oldest],
      [false, [0, 1, 2], DropCause.newest],
    ] as const) {
      const reader = new Reader(dropsOldest, 2, 10 * big);
      for (let id = 0; id < 10; id++) reader.send(message(id, big));
      reader.drainAll();
      expect(reader.ids).toEqual(kept);
      expect([reader.dropper.messagesDropped, reader.dropped(cause)]).toEqual([7, 7]);
      expect(reader.traffic.messagesWouldDrop.every((count) => count === 0)).toBe(true);
    }
  });

  test('keeps within its bytes', () => {
    const reader = new Reader(true, 100, 2 * big);
    for (let id = 0; id < 5; id++) reader.send(message(id, big));
    reader.drainAll();
    expect(reader.ids).toEqual([0, 3, 4]);
  });

  test('gives the source its credit at once, whatever the reader does', () => {
    const reader = new Reader(true, 1, 10 * big);
    for (let id = 0; id < 10; id++) reader.send(message(id, big));
    expect(reader.credited).toBe(10 * (big + 5));
  });

  test('never holds a message that is larger than all of its room: it goes on as it comes, and slows its source down', () => {
    const reader = new Reader(true, 2, big);
    reader.send(message(0, big));
    reader.send(message(1, 100));
    const large = message(2, 3 * big);
    for (let at = 0; at < large.length; at += 1000) reader.send(large.subarray(at, at + 1000));
    // What waited gave way, and of the large one only the prefix was credited.
    expect([reader.dropped(DropCause.oldest), reader.dropper.waitingBytes]).toEqual([1, 0]);
    expect(reader.credited).toBe(big + 5 + 105 + 5);
    reader.drainAll();
    expect(reader.credited).toBe(big + 5 + 105 + 3 * big + 5);
    expect(reader.ids).toEqual([0, 2]);
  });

  test('drops a message that is larger than all of its room when others wait and the newest goes', () => {
    const reader = new Reader(false, 2, big);
    for (const [id, bytes] of [big, 100, 3 * big].entries()) reader.send(message(id, bytes));
    reader.drainAll();
    expect([reader.ids, reader.dropped(DropCause.newest)]).toEqual([[0, 1], 1]);
  });

  test('has room for one message while memory is tight, and for none at its bound', () => {
    const reader = new Reader(true, 100, 10 * big, { capBytes: 10 * big });
    reader.send(message(0, big));
    for (let id = 1; id < 4; id++) reader.send(message(id, big));
    reader.budget.charge(7 * big);
    reader.send(message(4, big));
    expect([reader.dropper.waitingMessages, reader.dropped(DropCause.memory)]).toEqual([1, 3]);
    // It has begun to come, with room for it.
    const last = message(5, big);
    reader.send(last.subarray(0, 1000));
    reader.budget.charge(5 * big);
    reader.send(last.subarray(1000));
    expect([reader.dropper.waitingBytes, reader.dropped(DropCause.memory)]).toEqual([0, 5]);
    reader.drainAll();
    expect(reader.ids).toEqual([0]);
    expect(reader.budget.usedBytes).toBe(12 * big);
  });

  test('in shadow passes everything, credit included, and counts what would have gone', () => {
    const reader = new Reader(true, 2, 10 * big, { shadow: true });
    for (let id = 0; id < 10; id++) reader.send(message(id, big), id === 9);
    expect([reader.ids, reader.ended, reader.credited]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 1, 0]);
    expect(reader.traffic.messagesWouldDrop[3 + DropCause.oldest]).toBe(7);
    expect(reader.traffic.messagesDropped.every((count) => count === 0)).toBe(true);
    reader.drain();
    expect([reader.credited, reader.budget.peakBytes]).toEqual([10 * (big + 5), 0]);
  });

  test('ends after the last message that waits, by trailers or without', () => {
    for (const withTrailers of [true, false]) {
      const reader = new Reader(true, 2, 10 * big);
      for (let id = 0; id < 3; id++) reader.send(message(id, big), id === 2 && !withTrailers);
      if (withTrailers) reader.dropper.sendTrailers(trailers);
      expect([reader.ended, reader.trailers]).toEqual([0, null]);
      reader.drainAll();
      expect(reader.ids).toEqual([0, 1, 2]);
      expect([reader.ended, reader.trailers]).toEqual(withTrailers ? [0, trailers] : [1, null]);
    }
  });

  test('passes half a message on when the source ends in the middle of it', () => {
    for (const cut of [3, 6]) {
      const reader = new Reader(true, 2);
      reader.send(message(1));
      reader.send(message(2, 10).subarray(0, cut), true);
      reader.drain();
      expect(Buffer.concat(reader.parts).length).toBe(6 + cut);
      expect(reader.ended).toBe(1);
    }
  });

  test('lets go of what waits when its reader has left', () => {
    const reader = new Reader(true, 2, 10 * big);
    for (let id = 0; id < 3; id++) reader.send(message(id, big));
    reader.isClosed = true;
    reader.drain();
    expect([reader.dropper.waitingBytes, reader.budget.usedBytes, reader.ids.length]).toEqual([0, 0, 1]);
  });

  test('holds no more than its bounds and leaves framing whole, however the content is cut and taken', () => {
    const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(400), fc.constant(big)), { minLength: 1, maxLength: 60 });
    const cuts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 40 });
    const bounds = fc.record({ oldest: fc.boolean(), messagesMax: fc.integer({ min: 1, max: 7 }) });
    fc.assert(
      fc.property(sizes, cuts, bounds, fc.array(fc.boolean()), (lengths, steps, { oldest, messagesMax }, drains) => {
        const reader = new Reader(oldest, messagesMax, 300);
        const content = Buffer.concat(lengths.map((bytes, id) => message(id, bytes)));
        let [at, turn] = [0, 0];
        while (at < content.length) {
          const to = Math.min(content.length, at + steps[turn % steps.length]!);
          reader.send(content.subarray(at, to), to === content.length);
          if (drains[turn % Math.max(1, drains.length)]) reader.drain();
          at = to;
          turn++;
          expect(reader.dropper.waitingBytes).toBeLessThanOrEqual(300 + 5 * messagesMax);
          expect(reader.dropper.waitingMessages).toBeLessThanOrEqual(messagesMax);
          expect(reader.credited).toBeLessThanOrEqual(at);
        }
        reader.drainAll();
        expect(reader.credited).toBe(content.length);
        // `ids` looks at every message: whole, and as it was sent.
        const { ids } = reader;
        expect(ids).toEqual([...ids].sort((a, b) => a - b));
        expect(ids.length + reader.dropper.messagesDropped).toBe(lengths.length);
        const counted = reader.traffic.messagesDropped.reduce((sum, count) => sum + count);
        expect(counted).toBe(reader.dropper.messagesDropped);
        expect([reader.ended, reader.dropper.waitingBytes, reader.budget.usedBytes]).toEqual([1, 0, 0]);
      }),
      { numRuns: 300 },
    );
  });
});
