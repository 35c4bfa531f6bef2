/** One `weir.v1.Pressure/Control` stream: signals in, statuses out. */
import { ErrorCode } from '../../http2/constants.ts';
import { HeaderList } from '../../http2/hpack/field.ts';
import type { Http2Stream, StreamHandler } from '../../http2/stream.ts';
import { type Ticking, ticker } from '../ticker.ts';
import type { PressureControl } from './pressure-control.ts';
import { messageHeadBytes, readSignal, signalBytesMax, writeStatus } from './pressure-messages.ts';

const invalidArgument = 3;
const head = HeaderList.of([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const okTrailers = HeaderList.of([['grpc-status', '0']]);

export class PressureCall implements StreamHandler, Ticking {
  private readonly stream: Http2Stream;
  private readonly pressure: PressureControl;
  private readonly message = Buffer.alloc(messageHeadBytes + signalBytesMax);
  private messageEnd = 0;
  private last = '';
  private isOver = false;

  constructor(stream: Http2Stream, pressure: PressureControl) {
    this.stream = stream;
    this.pressure = pressure;
    stream.handler = this;
    stream.sendHeaders(head, false);
    ticker.add(this);
  }

  onData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.stream.credit(end - start);
    for (let at = start; at < end && !this.isOver; ) at += this.take(buf, at, end);
    if (endStream) this.end(okTrailers);
  }

  onTrailers(): void {
    this.end(okTrailers);
  }

  onReset(): void {
    this.leave();
  }

  /** A server hears no response. */
  onHeaders(): void {}

  onTick(): void {
    this.say(false);
  }

  /** Takes bytes of one message and answers how many. */
  private take(buf: Buffer, at: number, end: number): number {
    const wanted = this.messageEnd < messageHeadBytes ? messageHeadBytes : messageHeadBytes + this.length;
    const count = Math.min(wanted - this.messageEnd, end - at);
    buf.copy(this.message, this.messageEnd, at, at + count);
    this.messageEnd += count;
    if (this.messageEnd < messageHeadBytes) return count;
    if (this.message[0] !== 0 || this.length > signalBytesMax) {
      this.refuse(`a signal has at most ${signalBytesMax} bytes, uncompressed`);
    } else if (this.messageEnd === messageHeadBytes + this.length) this.hear();
    return count;
  }

  private get length(): number {
    return this.message.readUInt32BE(1);
  }

  private hear(): void {
    const signal = readSignal(this.message.subarray(messageHeadBytes, this.messageEnd));
    this.messageEnd = 0;
    if (signal === null) return this.refuse('not one of pause, resume and more (at least 1)');
    if (signal.kind === 'more') this.pressure.more(signal.count, this, 0);
    else if (signal.kind === 'pause') this.pressure.pause(this, 0);
    else this.pressure.resume();
    this.say(true);
  }

  private say(always: boolean): void {
    if (this.isOver || this.stream.queuedBytes > 0) return;
    const reading = this.pressure.read();
    const text = JSON.stringify(reading);
    if (!always && text === this.last) return;
    this.last = text;
    const bytes = writeStatus(reading);
    this.stream.sendData(bytes, 0, bytes.length, false);
  }

  private refuse(message: string): void {
    this.end(
      HeaderList.of([
        ['grpc-status', String(invalidArgument)],
        ['grpc-message', message],
      ]),
    );
    this.stream.reset(ErrorCode.noError);
  }

  private end(trailers: HeaderList): void {
    if (this.isOver) return;
    this.stream.sendTrailers(trailers);
    this.leave();
  }

  private leave(): void {
    if (this.isOver) return;
    this.isOver = true;
    ticker.delete(this);
    this.pressure.onGone(this);
  }
}
