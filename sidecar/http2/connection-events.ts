/** What an HTTP/2 connection tells its shell and, in the server's role, the proxy. */
import type { HeaderList } from './hpack/field.ts';
import type { Http2Stream } from './stream.ts';

export interface ConnectionEvents {
  /** A request head came in; the callee sets `stream.handler` before it returns. */
  onRequest(stream: Http2Stream, list: HeaderList, endStream: boolean): void;
  /** There is output: take it before the turn of the loop ends. */
  onOutput(): void;
  /** Streams or the peer's settings changed: there may be room for another stream. */
  onCapacity(): void;
  /** The peer takes no new streams; the ones it has go on. */
  onGoaway(code: number, detail: string): void;
  /** The peer ran into a bound (a code of `Limit`); what follows from it comes as another event. */
  onLimit(limit: number): void;
  /** The connection is beyond use; take what is in the output, then close; or close at once, when nothing can be sent. */
  onFatal(code: number, detail: string, isAtOnce?: boolean): void;
}
