/**
 * Flow control as a product: windows that grow while they are drained, streams that do not stand in each other's way,
 * and what happens as the process's budget fills.
 */
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import { FlowBudget } from '../../../sidecar/http2/flow-budget.ts';
import { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { defaultLimits } from '../../../sidecar/http2/limits.ts';
import { type Http2Stream, ResetCause } from '../../../sidecar/http2/stream.ts';
import { Peer, Recorder, settle } from '../../support/wire.ts';

const kib = 1024;
const post = HeaderList.of([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'a'],
  [':path', '/'],
]);

interface Rig {
  readonly client: Peer;
  readonly server: Peer;
  readonly budget: FlowBudget;
}

/** The budget is the server's. */
function rig(budget = new FlowBudget()): Rig {
  const peers = { client: new Peer(false), server: new Peer(true, defaultLimits, budget), budget };
  settle(peers.client, peers.server);
  return peers;
}

/** Opens an upload and sends so much of it. */
function upload({ client, server }: Rig, bytes: number): { up: Http2Stream; down: Http2Stream; seen: Recorder } {
  const up = client.connection.request(post, false, new Recorder());
  up.sendData(Buffer.alloc(bytes, 'x'), 0, bytes, false);
  settle(client, server);
  const { stream, handler } = server.requests.at(-1)!;
  return { up, down: stream, seen: handler };
}

/** Drains what has come, again and again, until nothing more comes. */
function drain(peers: Rig, down: Http2Stream, seen: Recorder): void {
  while (seen.owed > 0) {
    const owed = seen.owed;
    seen.owed = 0;
    down.credit(owed);
    settle(peers.client, peers.server);
  }
}

const sum = (parts: readonly Buffer[]): number => parts.reduce((total, part) => total + part.length, 0);

describe('a stream’s window', () => {
  test('grows while its content is drained, up to 1 MiB', () => {
    const peers = rig();
    const { down, seen } = upload(peers, 16 * kib * kib);
    expect(sum(seen.parts)).toBe(65_535);
    drain(peers, down, seen);
    expect(sum(seen.parts)).toBe(16 * kib * kib);
    expect(down.windowBytes).toBe(kib * kib);
    expect(down.receiveWindow + down.toReturn + down.held).toBe(down.windowBytes);
  });

  test('does not grow while its reader holds anything back', () => {
    const peers = rig();
    const { down, seen } = upload(peers, kib * kib);
    for (let i = 0; i < 50; i++) {
      const part = Math.min(seen.owed - 1, 16 * kib);
      seen.owed -= part;
      down.credit(part);
      settle(peers.client, peers.server);
    }
    expect(down.windowBytes).toBe(65_535);
    expect(down.held).toBeGreaterThan(0);
  });

  test('stays within what the policy gives it, also when that is less than it began with', () => {
    const peers = rig();
    const { down, seen } = upload(peers, kib * kib);
    down.windowBytesMax = 32 * kib;
    drain(peers, down, seen);
    expect(down.windowBytes).toBe(32 * kib);
    expect(sum(seen.parts)).toBe(kib * kib);
  });

  test('shares a connection’s growth with the others and gives it back at the end', () => {
    const peers = rig();
    const streams = Array.from({ length: 8 }, () => upload(peers, 4 * kib * kib));
    for (const { down, seen } of streams) drain(peers, down, seen);
    const windows = streams.map(({ down }) => down.windowBytes);
    expect(windows.reduce((a, b) => a + b)).toBe(8 * 65_535 + defaultLimits.windowGrowthBytesMax);
    for (const { down } of streams) down.reset(ErrorCode.cancel);
    settle(peers.client, peers.server);
    const { down, seen } = upload(peers, 4 * kib * kib);
    drain(peers, down, seen);
    expect(down.windowBytes).toBe(kib * kib);
  });
});

describe('a connection’s window', () => {
  test('does not stop one stream because the readers of a hundred others do nothing', () => {
    const peers = rig();
    for (let i = 0; i < 99; i++) upload(peers, 65_535);
    // More than the connection's 4 MiB lie here now.
    expect(peers.server.connection.receivedUndrainedBytes).toBe(99 * 65_535);
    const { down, seen } = upload(peers, kib * kib);
    drain(peers, down, seen);
    expect(sum(seen.parts)).toBe(kib * kib);
  });

  test('comes back whole when all streams are drained and gone', () => {
    const peers = rig();
    const before = peers.client.connection.sender.window;
    for (let i = 0; i < 99; i++) upload(peers, 65_535);
    for (const { stream, handler } of peers.server.requests) stream.credit(handler.owed);
    settle(peers.client, peers.server);
    // What is below half of the window waits to be worth a frame.
    expect(before - peers.client.connection.sender.window).toBeLessThan(defaultLimits.connectionWindowBytes / 2);
    expect(peers.server.connection.receivedUndrainedBytes).toBe(0);
  });
});

describe('the budget of the process', () => {
  test('counts the buffers that waiting content pins, and forgets them when it is sent or dropped', () => {
    const peers = rig();
    const { down } = upload(peers, 0);
    down.sendHeaders(HeaderList.of([[':status', '200']]), false);
    settle(peers.client, peers.server);
    down.sendData(Buffer.alloc(100 * kib), 0, 100 * kib, false);
    settle(peers.client, peers.server);
    // 65,535 of it fit the client's window.
    expect(down.queuedBytes).toBe(100 * kib - 65_535);
    expect(peers.budget.usedBytes).toBeGreaterThanOrEqual(down.queuedBytes);
    expect(peers.budget.usedBytes).toBeLessThanOrEqual(down.queuedBytes + 2 * 16 * kib);
    down.reset(ErrorCode.cancel);
    settle(peers.client, peers.server);
    expect(peers.budget.usedBytes).toBe(0);
  });

  test('stops growth when half full, and lends connections nothing when it is tight', () => {
    const budget = new FlowBudget(100 * kib);
    const peers = rig(budget);
    const { down, seen } = upload(peers, kib * kib);
    budget.charge(51 * kib);
    drain(peers, down, seen);
    expect(down.windowBytes).toBe(65_535);
    budget.charge(40 * kib);
    const other = upload(peers, 65_535);
    expect(other.down.held).toBe(65_535);
    expect(new Peer(true, defaultLimits, budget).connection.receiver.initialWindowBytes).toBe(16 * kib);
  });

  test('cuts the windows of open and new streams when it is half full, and restores them when it is well', () => {
    const budget = new FlowBudget(1024 * kib);
    const peers = rig(budget);
    const first = upload(peers, 40 * kib);
    budget.charge(600 * kib);
    const second = upload(peers, 200 * kib);
    // The cut travels before anything that the new stream gets; the open one owes what it has sent already.
    peers.server.connection.onTick(1000);
    settle(peers.client, peers.server);
    const third = upload(peers, 200 * kib);
    expect(sum(third.seen.parts)).toBe(16 * kib);
    expect(first.up.sendWindow).toBe(16 * kib - 40 * kib);
    drain(peers, third.down, third.seen);
    drain(peers, first.down, first.seen);
    drain(peers, second.down, second.seen);
    expect(sum(third.seen.parts)).toBe(200 * kib);
    expect(third.down.windowBytes).toBe(16 * kib);
    expect(first.up.sendWindow).toBe(16 * kib - first.down.toReturn);
    budget.release(600 * kib);
    peers.server.connection.onTick(1250);
    settle(peers.client, peers.server);
    expect(sum(upload(peers, 200 * kib).seen.parts)).toBe(65_535);
    expect(third.down.windowBytes).toBe(65_535);
  });

  test('lets the largest buffers go first and leaves the small ones alone', () => {
    const budget = new FlowBudget(512 * kib);
    const peers = rig(budget);
    const streams = [10, 200, 20, 300, 30].map((size) => {
      const { down, seen } = upload(peers, 0);
      down.sendHeaders(HeaderList.of([[':status', '200']]), false);
      // The client gives no more than its first window; the rest waits here.
      down.sendData(Buffer.alloc(65_535 + size * kib), 0, 65_535 + size * kib, false);
      return { down, seen };
    });
    // Any bytes from anybody are the occasion.
    peers.server.receive(peers.client.take());
    const { client, server } = peers;
    client.connection.request(post, true, new Recorder());
    server.receive(client.take());
    expect(streams.map(({ seen }) => seen.reset)).toEqual([
      null,
      null,
      null,
      { code: ErrorCode.enhanceYourCalm, cause: ResetCause.flowControl },
      null,
    ]);
    expect(budget.streamsLetGo).toBe(1);
    expect(budget.usedBytes).toBeLessThanOrEqual(0.9 * 512 * kib);
  });

  test('counts what a stream’s source holds for it, which goes with the stream', () => {
    const budget = new FlowBudget(512 * kib);
    const peers = rig(budget);
    const streams = [200, 16].map((size) => {
      const { down, seen } = upload(peers, 0);
      down.sendHeaders(HeaderList.of([[':status', '200']]), false);
      down.sendData(Buffer.alloc(65_535 + size * kib), 0, 65_535 + size * kib, false);
      return { down, seen };
    });
    const heldBytes = 300 * kib;
    streams[1]!.down.source = { credit() {}, pinnedBytes: heldBytes };
    streams[1]!.seen.onReset = () => budget.release(heldBytes);
    budget.charge(heldBytes);
    budget.relieve();
    expect(streams.map(({ down }) => down.isDead)).toEqual([false, true]);
    expect(budget.usedBytes).toBeLessThanOrEqual(0.9 * 512 * kib);
  });
});

describe('a stall', () => {
  test('is timed where it is, and no error without a timeout', () => {
    const peers = rig();
    const { down, seen } = upload(peers, 0);
    down.sendHeaders(HeaderList.of([[':status', '200']]), false);
    down.sendData(Buffer.alloc(100 * kib), 0, 100 * kib, false);
    settle(peers.client, peers.server);
    for (let nowMs = 1000; nowMs <= 61_000; nowMs += 250) peers.server.connection.onTick(nowMs);
    expect(down.stalledMs).toBe(60_000);
    expect([...peers.budget.stalledMs]).toEqual([60_000, 0, 0, 0, 0, 0]);
    expect(seen.reset).toBeNull();
  });
});
