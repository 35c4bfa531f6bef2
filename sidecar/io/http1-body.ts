/**
 * Reads a node:http message by credit: what was handed on and not yet drained is bounded, and past the bound the message
 * is paused, so TCP holds the sender back.
 */
import type { IncomingMessage } from 'node:http';
import type { StreamHandler } from '../http2/stream.ts';
import { tick } from './clock.ts';
import { trailersOf } from './http1-headers.ts';

/** Bytes handed on and not drained, as much as one HTTP/2 stream's window. */
const windowBytes = 65_536;
const nothing = Buffer.alloc(0);

export class Http1Body {
  ended = false;
  private outstanding = 0;
  private readonly message: IncomingMessage;

  constructor(message: IncomingMessage, handler: () => StreamHandler | null) {
    this.message = message;
    message.on('data', (chunk: Buffer) => {
      tick();
      this.outstanding += chunk.length;
      if (this.outstanding >= windowBytes) message.pause();
      handler()?.onData(chunk, 0, chunk.length, false);
    });
    message.on('end', () => {
      tick();
      this.ended = true;
      if (message.rawTrailers.length > 0) handler()?.onTrailers(trailersOf(message.rawTrailers));
      else handler()?.onData(nothing, 0, 0, true);
    });
  }

  credit(bytes: number): void {
    this.outstanding -= bytes;
    if (this.outstanding < windowBytes && this.message.isPaused()) this.message.resume();
  }
}
