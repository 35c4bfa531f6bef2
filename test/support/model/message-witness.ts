/**
 * A stream's handler that holds the engine to the order of a message: heads, then content, then at most one end, or one
 * reset and nothing after it; content byte for byte what `contentOf` says. It owes credit for what it heard, and gives
 * it back when the test lets it read.
 */
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import type { Http2Stream, StreamHandler } from '../../../sidecar/http2/stream.ts';
import { isContentOf } from './content.ts';

export class MessageWitness implements StreamHandler {
  readonly seed: number;
  stream: Http2Stream | null = null;
  heads = 0;
  received = 0;
  ended = 0;
  trailers: HeaderList | null = null;
  reset: { code: number; cause: number } | null = null;
  /** Heard and not yet read. */
  owed = 0;
  /** Gives credit at once. */
  isReading = true;
  /** Set when the test itself resets the stream: nothing may be heard after that. */
  isAbandoned = false;

  constructor(seed: number) {
    this.seed = seed;
  }

  onHeaders(_list: HeaderList, endStream: boolean): void {
    this.stillOpen('a head');
    if (this.received > 0) this.wrong('a head after content');
    this.heads++;
    if (endStream) this.ended++;
  }

  onData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.stillOpen('content');
    if (this.heads === 0) this.wrong('content before a head');
    if (!isContentOf(this.seed, this.received, buf, start, end)) this.wrong(`other bytes at ${this.received}`);
    this.received += end - start;
    this.owed += end - start;
    if (endStream) this.ended++;
    if (this.isReading) this.read();
  }

  onTrailers(list: HeaderList): void {
    this.stillOpen('trailers');
    this.trailers = list;
    this.ended++;
  }

  onReset(code: number, cause: number): void {
    if (this.isAbandoned) this.wrong('a reset after its own');
    if (this.reset !== null) this.wrong('a second reset');
    this.reset = { code, cause };
  }

  /** Takes what was heard, or part of it. */
  read(bytes: number = this.owed): void {
    const count = Math.min(bytes, this.owed);
    this.owed -= count;
    if (count > 0) this.stream?.credit(count);
  }

  get isOver(): boolean {
    return this.ended > 0 || this.reset !== null || this.isAbandoned;
  }

  private stillOpen(what: string): void {
    if (this.ended > 0) this.wrong(`${what} after the end`);
    if (this.reset !== null || this.isAbandoned) this.wrong(`${what} after a reset`);
  }

  private wrong(what: string): never {
    throw new Error(`message ${this.seed}: heard ${what}`);
  }
}
