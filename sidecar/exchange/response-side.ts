/**
 * The exchange as the upstream's stream sees it: a stream handler that passes everything on to the exchange's response
 * methods. Two directions, two handlers; else a request's trailers could be taken for a response's.
 */
import type { HeaderList } from '../http2/hpack/field.ts';
import type { StreamHandler } from '../http2/stream.ts';

export interface ResponseReceiver {
  onResponseHead(list: HeaderList, endStream: boolean): void;
  onResponseData(buf: Buffer, start: number, end: number, endStream: boolean): void;
  onResponseTrailers(list: HeaderList): void;
  onResponseReset(code: number, cause: number): void;
}

export class ResponseSide implements StreamHandler {
  private readonly receiver: ResponseReceiver;

  constructor(receiver: ResponseReceiver) {
    this.receiver = receiver;
  }

  onHeaders(list: HeaderList, endStream: boolean): void {
    this.receiver.onResponseHead(list, endStream);
  }

  onData(buf: Buffer, start: number, end: number, endStream: boolean): void {
    this.receiver.onResponseData(buf, start, end, endStream);
  }

  onTrailers(list: HeaderList): void {
    this.receiver.onResponseTrailers(list);
  }

  onReset(code: number, cause: number): void {
    this.receiver.onResponseReset(code, cause);
  }
}
