/** What an app asks of another service on behalf of a request: all at once, through its own sidecar, with the time left. */
import type { HttpStream } from '../../../sidecar/exchange/http-stream.ts';
import { ErrorCode } from '../../../sidecar/http2/constants.ts';
import type { HeaderList } from '../../../sidecar/http2/hpack/field.ts';
import { type CreditSource, ResetCause, type StreamHandler } from '../../../sidecar/http2/stream.ts';
import type { Callees } from './app.ts';
import type { SimSidecar } from './sidecar.ts';

export function calleesOf(sidecar: SimSidecar, { service, count }: { service: string; count: number }): Callees {
  return (head, done) => {
    const calls: Call[] = [];
    let left = count;
    let isOver = false;
    const giveUp = (): void => {
      isOver = true;
      for (const call of calls) call.giveUp();
    };
    const onEnd = (isGood: boolean): void => {
      if (isOver) return;
      left--;
      if (isGood && left > 0) return;
      giveUp();
      done(isGood);
    };
    const forwarded = head.with({ set: [[':authority', service]] });
    for (let i = 0; i < count && !isOver; i++) {
      const call = new Call(onEnd);
      calls.push(call);
      sidecar.acceptOutbound(call, forwarded, true);
    }
    return giveUp;
  };
}

class Call implements HttpStream {
  handler: StreamHandler | null = null;
  source: CreditSource | null = null;
  isClosed = false;
  readonly remoteClosed = true;
  private readonly onEnd: (isGood: boolean) => void;

  constructor(onEnd: (isGood: boolean) => void) {
    this.onEnd = onEnd;
  }

  giveUp(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler?.onReset(ErrorCode.cancel, ResetCause.peer);
  }

  sendHeaders(list: HeaderList, endStream: boolean): void {
    if (endStream) this.end(list);
  }

  sendTrailers(list: HeaderList): void {
    this.end(list);
  }

  sendData(_buf: Buffer, start: number, end: number): void {
    this.source?.credit(end - start);
  }

  reset(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.onEnd(false);
  }

  credit(): void {}

  private end(list: HeaderList): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.onEnd(list.grpcStatus === '0');
  }
}
