/**
 * A request that an HTTP/1.1 endpoint cannot be asked: answered as malformed in its place, so that it does not count as
 * the endpoint's failure.
 */
import { Reason } from '../../proto/reasons.ts';
import { answerFor } from '../exchange/answers.ts';
import type { HttpStream } from '../exchange/http-stream.ts';
import type { CreditSource, StreamHandler } from '../http2/stream.ts';
import type { Http1Place } from './http1-place.ts';

export class Http1RefusedStream implements HttpStream {
  handler: StreamHandler | null;
  source: CreditSource | null = null;
  remoteClosed = false;
  isClosed = false;

  constructor(place: Http1Place, handler: StreamHandler) {
    this.handler = handler;
    queueMicrotask(() => {
      place.release();
      this.answer();
    });
  }

  sendHeaders(): void {}

  sendData(_buf: Buffer, start: number, end: number): void {
    this.source?.credit(end - start);
  }

  sendTrailers(): void {}

  reset(): void {
    this.isClosed = true;
    this.handler = null;
  }

  credit(): void {}

  private answer(): void {
    const { head, body } = answerFor(Reason.badRequest, false, 0);
    this.remoteClosed = true;
    this.handler?.onHeaders(head, body === null);
    if (body !== null) this.handler?.onData(body, 0, body.length, true);
  }
}
