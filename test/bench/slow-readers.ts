/**
 * Many slow readers at once, on raw frames, so that five thousand of them cost the generator next to nothing: content
 * is counted and dropped, and read into one buffer. Every second connection is slow by its windows (16 KiB a stream,
 * widened as slowly as it reads), which makes a proxy hold what its own windows let the origin send; the others have
 * windows for everything and read their socket slowly, which makes it hold what the socket does not take.
 *
 *   node slow-readers.js --port 8080 --connections 250 --streams 20 --seconds 10 --rate 4096 --path /b1m
 *
 * Prints `{"event":"started"}` when all requests are sent, `{"event":"opened"}` when all are answered or a while has
 * passed, and one line with the result at the end.
 */
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { XorShift32 } from '../../proto/kernel/random.ts';
import {
  beginsWithStatus200,
  clientPreface,
  FrameReader,
  frameFlag,
  frameHeaderBytes,
  frameType,
  pingAckFrame,
  settingId,
  settingsAck,
  settingsFrame,
  windowUpdateFrame,
} from './frame-reader.ts';
import { makeBlockCycle } from './header-blocks.ts';

const openDeadlineMs = 8_000;
const narrowWindowBytes = 16_384;
const wideWindowBytes = 2 ** 30 - 1;
const contentBytes = 1024 * 1024;
const initialConnectionWindowBytes = 65_535;
/** How often a connection reads, or widens its windows. */
const stepMs = 500;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    connections: { type: 'string', default: '250' },
    streams: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '4096' },
    path: { type: 'string', default: '/b1m' },
  },
});
const streamsEach = Number(values.streams);
const connectionCount = Number(values.connections);
/** What a stream reads in one step. */
const stepBytes = Math.round((Number(values.rate) * stepMs) / 1000);
const readBuffer = Buffer.allocUnsafe(64 * 1024);

class SlowReader {
  answered = 0;
  served = 0;
  reset = 0;
  bytes = 0;
  /** How those that were not served ended: `not 200`, `RST <code>` or `closed`. */
  readonly ends = new Map<string, number>();
  private readonly isNarrow: boolean;
  private readonly socket: Socket;
  private readonly reader = new FrameReader((type, flags, id, bytes, start, end) =>
    this.onFrame(type, flags, id, bytes, start, end),
  );
  /** Streams that are being read, and what of each was received and not yet taken. */
  private readonly open = new Map<number, number>();
  /** Bytes this connection may still read in this step. */
  private budget = 65_536;
  private control: Buffer[] = [];

  constructor(slot: number) {
    this.isNarrow = slot % 2 === 0;
    const onread = { buffer: readBuffer, callback: (count: number) => this.onRead(count) };
    const socket = connect({ port: Number(values.port), host: '127.0.0.1', onread });
    this.socket = socket;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      for (const id of [...this.open.keys()]) this.end(id, 'closed');
    });
    socket.write(this.opening(slot));
  }

  step(): void {
    if (this.isNarrow) {
      for (const [id, waiting] of this.open) {
        const taken = Math.min(stepBytes, waiting);
        if (taken === 0) continue;
        this.open.set(id, waiting - taken);
        this.control.push(windowUpdateFrame(id, taken));
      }
    }
    this.budget = Math.min(this.budget, 0) + stepBytes * streamsEach;
    this.socket.resume();
    this.flush();
  }

  destroy(): void {
    this.socket.removeAllListeners('close').destroy();
  }

  private opening(slot: number): Buffer {
    const { frames, offsets } = makeBlockCycle(slot, streamsEach, new XorShift32(slot + 1), values.path);
    for (let i = 0; i < streamsEach; i++) {
      const id = 2 * i + 1;
      frames.writeUInt32BE(id, offsets[i]! + frameHeaderBytes - 4);
      this.open.set(id, 0);
    }
    return Buffer.concat([
      clientPreface,
      settingsFrame([
        [settingId.enablePush, 0],
        [settingId.initialWindowBytes, this.isNarrow ? narrowWindowBytes : contentBytes],
      ]),
      windowUpdateFrame(0, wideWindowBytes - initialConnectionWindowBytes),
      frames,
    ]);
  }

  /** False stops the socket until the next step. */
  private onRead(count: number): boolean {
    this.reader.read(readBuffer.subarray(0, count));
    this.flush();
    if (this.isNarrow) return true;
    this.budget -= count;
    return this.budget > 0;
  }

  private onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case frameType.headers:
        this.answered++;
        if (!beginsWithStatus200(flags, bytes, start, end)) this.end(id, 'not 200');
        break;
      case frameType.data:
        this.bytes += end - start;
        if (this.isNarrow) this.open.set(id, (this.open.get(id) ?? 0) + end - start);
        if ((flags & frameFlag.endStream) !== 0) this.end(id, null);
        break;
      case frameType.resetStream:
        this.end(id, `RST ${bytes.readUInt32BE(start)}`);
        break;
      case frameType.settings:
        if ((flags & frameFlag.ack) === 0) this.control.push(settingsAck);
        break;
      case frameType.ping:
        if ((flags & frameFlag.ack) === 0) this.control.push(pingAckFrame(bytes, start));
        break;
    }
  }

  /** `how`: null when it was served whole. */
  private end(id: number, how: string | null): void {
    if (!this.open.delete(id)) return;
    if (how === null) {
      this.served++;
      return;
    }
    this.reset++;
    this.ends.set(how, (this.ends.get(how) ?? 0) + 1);
  }

  /** Streams that are still being read. */
  get reading(): number {
    return this.open.size;
  }

  private flush(): void {
    if (this.control.length === 0) return;
    this.socket.write(Buffer.concat(this.control));
    this.control = [];
  }
}

const readers = Array.from({ length: connectionCount }, (_, slot) => new SlowReader(slot));
const sum = (of: (reader: SlowReader) => number) => readers.reduce((total, reader) => total + of(reader), 0);
console.log(JSON.stringify({ event: 'started' }));

// Evenly over the step, so that the load is even too.
readers.forEach((reader, slot) => {
  setTimeout(() => setInterval(() => reader.step(), stepMs), (slot * stepMs) / connectionCount);
});

const startedAtMs = performance.now();
const opening = setInterval(() => {
  const isOpen = sum(({ answered, reset }) => Math.max(answered, reset)) >= connectionCount * streamsEach;
  if (!isOpen && performance.now() - startedAtMs < openDeadlineMs) return;
  clearInterval(opening);
  console.log(JSON.stringify({ event: 'opened' }));
  setTimeout(finish, Number(values.seconds) * 1000);
}, 50);

// Whoever started it has seen enough.
process.once('SIGTERM', finish);

function finish(): never {
  const reset = sum((reader) => reader.reset);
  const served = sum((reader) => reader.served + reader.reading);
  const [answered, bytes] = [sum((reader) => reader.answered), sum((reader) => reader.bytes)];
  const ends = new Map<string, number>();
  for (const reader of readers) for (const [how, count] of reader.ends) ends.set(how, (ends.get(how) ?? 0) + count);
  const resets = [...ends].map(([how, count]) => `${count} × ${how}`).join(', ');
  console.log(JSON.stringify({ event: 'finished', answered, served, reset, bytes, resets }));
  for (const reader of readers) reader.destroy();
  process.exit(0);
}
