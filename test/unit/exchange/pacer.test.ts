/** Pacing of a stream, and the watch over one that stalls, with time moved by hand. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TimerWheel } from '../../../proto/kernel/timer-wheel.ts';
import { MessageStarts } from '../../../sidecar/exchange/message-starts.ts';
import { Pacer } from '../../../sidecar/exchange/pacer.ts';
import { StallWatch } from '../../../sidecar/exchange/stall-watch.ts';
import { FlowBudget } from '../../../sidecar/http2/flow-budget.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';

const trailers = HeaderList.of([['grpc-status', '0']]);

class World {
  readonly clock = { nowMs: 0 };
  readonly wheel = new TimerWheel(4, 0);
  readonly budget = new FlowBudget();
  readonly sent: { atMs: number; bytes: Buffer }[] = [];
  ended = 0;
  trailers: HeaderList | null = null;
  isClosed = false;
  credited = 0;

  sendData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    if (end > start) this.sent.push({ atMs: this.clock.nowMs, bytes: Buffer.from(buf.subarray(start, end)) });
    if (endStream) this.ended++;
  }

  sendTrailers(list: HeaderList): void {
    this.trailers = list;
  }

  credit(bytes: number): void {
    this.credited += bytes;
  }

  /** Ticks of 5 ms, as the loop has them. */
  pass(ms: number): void {
    for (const endMs = this.clock.nowMs + ms; this.clock.nowMs < endMs; ) {
      this.clock.nowMs += 5;
      this.wheel.advance(this.clock.nowMs);
    }
  }

  pacer(settings: { bytesPerSecond?: number; messagesPerSecond?: number }, isGrpc = true): Pacer {
    const { clock, wheel, budget } = this;
    return new Pacer({
      clock,
      wheel,
      budget,
      settings: { bytesPerSecond: 0, messagesPerSecond: 0, ...settings },
      isGrpc,
      sink: this,
    });
  }

  bytesUntil(ms: number): number {
    return this.sent.filter(({ atMs }) => atMs <= ms).reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  get content(): Buffer {
    return Buffer.concat(this.sent.map(({ bytes }) => bytes));
  }
}

/** A gRPC message of so many bytes. */
function message(bytes: number): Buffer {
  const out = Buffer.alloc(5 + bytes, 'm');
  out[0] = 0;
  out.writeUInt32BE(bytes, 1);
  return out;
}

describe('Pacer', () => {
  test('lets a second’s worth of bytes pass in a second, whatever came at once, and ends after the last', () => {
    const world = new World();
    const pacer = world.pacer({ bytesPerSecond: 10_000 });
    const content = Buffer.alloc(10_000, 'x');
    pacer.sendData(content, 0, content.length, true);
    expect(world.bytesUntil(0)).toBe(500);
    for (const ms of [100, 500, 900]) {
      world.pass(ms - world.clock.nowMs);
      expect(world.bytesUntil(ms)).toBeGreaterThan(10 * ms * 0.95);
      expect(world.bytesUntil(ms)).toBeLessThanOrEqual(10 * ms + 500);
    }
    expect(world.ended).toBe(0);
    world.pass(100);
    expect(world.content.equals(content)).toBe(true);
    expect(world.ended).toBe(1);
    expect(world.budget.usedBytes).toBe(0);
    expect(world.wheel.size).toBe(0);
  });

  test('lets messages begin at their rate, whole, and holds the trailers back till the end', () => {
    const world = new World();
    const pacer = world.pacer({ messagesPerSecond: 20 });
    const all = Buffer.concat(Array.from({ length: 11 }, (_, i) => message(i * 10)));
    pacer.sendData(all, 0, all.length, false);
    pacer.sendTrailers(trailers);
    world.pass(245);
    // At 0, 50, 100, 150, 200 ms.
    expect(world.content.length).toBe([0, 1, 2, 3, 4].reduce((sum, i) => sum + 5 + i * 10, 0));
    expect(world.trailers).toBeNull();
    world.pass(300);
    expect(world.content.equals(all)).toBe(true);
    expect(world.trailers).toBe(trailers);
  });

  test('knows no messages in content that is not gRPC', () => {
    const world = new World();
    world.pacer({ messagesPerSecond: 1 }, false).sendData(message(100), 0, 105, true);
    expect(world.ended).toBe(1);
  });

  test('holds nothing and sends nothing once it is stopped or its reader is gone', () => {
    for (const end of [(pacer: Pacer) => pacer.stop(), (_: Pacer, world: World) => (world.isClosed = true)]) {
      const world = new World();
      const pacer = world.pacer({ bytesPerSecond: 1000 });
      pacer.sendData(Buffer.alloc(5000), 0, 5000, true);
      end(pacer, world);
      world.pass(1000);
      expect(world.bytesUntil(2000)).toBe(50);
      expect(world.ended).toBe(0);
      expect(world.budget.usedBytes).toBe(0);
      expect(world.wheel.size).toBe(0);
    }
  });

  test('never passes its bound, loses nothing, keeps the order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 200_000 }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 0, max: 300 })), { maxLength: 8 }),
        (bytesPerSecond, steps) => {
          const world = new World();
          const pacer = world.pacer({ bytesPerSecond });
          const parts: Buffer[] = [];
          for (const [bytes, waitMs] of steps) {
            const part = Buffer.alloc(bytes, parts.length + 1);
            parts.push(part);
            pacer.sendData(part, 0, bytes, false);
            world.pass(waitMs);
          }
          world.pass(Math.ceil((sum(parts) * 1000) / bytesPerSecond) + 100);
          expect(world.content.equals(Buffer.concat(parts))).toBe(true);
          for (const { atMs } of world.sent) {
            expect(world.bytesUntil(atMs)).toBeLessThanOrEqual((bytesPerSecond / 1000) * (atMs + 50) + 1);
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('MessageStarts', () => {
  test('finds every message however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 20 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (sizes, cuts) => {
          const starts = new MessageStarts();
          const all = Buffer.concat(sizes.map(message));
          for (let at = 0; at < all.length; ) {
            const end = Math.min(all.length, at + (cuts.next().value ?? 1));
            starts.scan(all, at, end);
            at = end;
          }
          for (const [index, size] of sizes.entries()) {
            const isLast = index === sizes.length - 1;
            expect(starts.bytesUntilStart(0)).toBe(0);
            expect(starts.bytesUntilStart(1)).toBe(isLast ? Number.POSITIVE_INFINITY : size + 5);
            expect(starts.release(size + 5)).toBe(true);
          }
        },
      ),
    );
  });
});

describe('StallWatch', () => {
  function watched(timeoutMs: number): { world: World; watch: StallWatch; stalledMs: number[] } {
    const world = new World();
    const stalledMs: number[] = [];
    const { clock, wheel } = world;
    const onStalled = (): void => void stalledMs.push(clock.nowMs);
    return {
      world,
      watch: new StallWatch({ clock, wheel, timeoutMs, sink: world, source: world, onStalled }),
      stalledMs,
    };
  }

  test('tells when nothing was taken for the timeout, counted from the last that was', () => {
    const { world, watch, stalledMs } = watched(1000);
    watch.sendData(Buffer.alloc(100), 0, 100, false);
    world.pass(900);
    watch.credit(1);
    world.pass(990);
    expect(stalledMs).toEqual([]);
    world.pass(30);
    expect(stalledMs).toHaveLength(1);
    expect(world.credited).toBe(1);
  });

  test('has all the time in the world while there is nothing to take', () => {
    const { world, watch, stalledMs } = watched(1000);
    world.pass(5000);
    watch.sendData(Buffer.alloc(100), 0, 100, false);
    watch.credit(100);
    world.pass(60_000);
    expect(stalledMs).toEqual([]);
    expect(world.wheel.size).toBe(0);
  });
});

function sum(parts: readonly Buffer[]): number {
  return parts.reduce((total, part) => total + part.length, 0);
}
